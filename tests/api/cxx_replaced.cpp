/*
 * cxx_replaced.cpp - a program that replaces the plain operator new and delete
 * only: every other form must end in those ([new.delete]).
 */
#include <cstdio>
#include <cstdlib>
#include <new>

static int news, deletes;

/* Blocks of this program carry a mark in front, which delete looks for. */
struct alignas(16) mark {
    size_t value;
};
static const size_t marked = 0x6d61726b;

void *operator new(size_t size)
{
    news++;
    mark *block = static_cast<mark *>(malloc(sizeof(mark) + size));
    if (block == nullptr)
        throw std::bad_alloc();
    block->value = marked;
    return block + 1;
}

void operator delete(void *block) noexcept
{
    deletes++;
    mark *before = static_cast<mark *>(block) - 1;
    if (before->value != marked) {
        puts("operator delete: not a block of the program's own operator new");
        exit(1);
    }
    free(before);
}

int main()
{
    operator delete[](operator new[](40));
    operator delete(operator new(4, std::nothrow));
    operator delete(operator new(4), size_t(4));
    operator delete[](operator new[](12, std::nothrow), std::nothrow);
    operator delete[](operator new[](12), size_t(12));
    operator delete(operator new(4), std::nothrow);
    if (news != 6 || deletes != 6) {
        printf("operator new called %d times, delete %d, not 6\n", news, deletes);
        return 1;
    }
    return 0;
}
