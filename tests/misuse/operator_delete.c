/*
 * operator_delete.c - each form of C++ operator delete, chosen by its number,
 * on a block that is free.  In C, by the names of the C++ ABI.
 */
#include "misuse.h"

void delete_plain(void *p) __asm__("_ZdlPv");
void delete_array(void *p) __asm__("_ZdaPv");
void delete_nothrow(void *p, const void *tag) __asm__("_ZdlPvRKSt9nothrow_t");
void delete_array_nothrow(void *p, const void *tag) __asm__("_ZdaPvRKSt9nothrow_t");
void delete_sized(void *p, size_t size) __asm__("_ZdlPvm");
void delete_array_sized(void *p, size_t size) __asm__("_ZdaPvm");
void delete_aligned(void *p, size_t alignment) __asm__("_ZdlPvSt11align_val_t");
void delete_array_aligned(void *p, size_t alignment) __asm__("_ZdaPvSt11align_val_t");
void delete_sized_aligned(void *p, size_t size, size_t align) __asm__("_ZdlPvmSt11align_val_t");
void delete_array_sized_aligned(void *p, size_t size,
                                size_t align) __asm__("_ZdaPvmSt11align_val_t");
void delete_aligned_nothrow(void *p, size_t align,
                            const void *tag) __asm__("_ZdlPvSt11align_val_tRKSt9nothrow_t");
void delete_array_aligned_nothrow(void *p, size_t align,
                                  const void *tag) __asm__("_ZdaPvSt11align_val_tRKSt9nothrow_t");

static void delete_by(int form, void *p)
{
    switch (form) {
    case 0:
        delete_plain(p);
        break;
    case 1:
        delete_array(p);
        break;
    case 2:
        delete_nothrow(p, &form);
        break;
    case 3:
        delete_array_nothrow(p, &form);
        break;
    case 4:
        delete_sized(p, 64);
        break;
    case 5:
        delete_array_sized(p, 64);
        break;
    case 6:
        delete_aligned(p, 64);
        break;
    case 7:
        delete_array_aligned(p, 64);
        break;
    case 8:
        delete_sized_aligned(p, 64, 64);
        break;
    case 9:
        delete_array_sized_aligned(p, 64, 64);
        break;
    case 10:
        delete_aligned_nothrow(p, 64, &form);
        break;
    default:
        delete_array_aligned_nothrow(p, 64, &form);
        break;
    }
}

int main(int argc, char **argv)
{
    int form = argc > 1 ? atoi(argv[1]) : 0;
    void *volatile keep = aligned_alloc(64, 64);
    void *volatile p = aligned_alloc(64, 64);
    expect_address(p);
    delete_by(form, p);
    delete_by(form, p);
    free(keep);
    return 0;
}
