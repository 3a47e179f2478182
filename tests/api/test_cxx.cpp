// test_cxx.cpp - every form of C++ operator new and delete: who serves it,
// alignment, bad_alloc, the new_handler, and the nothrow forms.
#include <pymem/pymem.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <vector>

static int failures;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            std::fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);           \
            failures++;                                                                            \
        }                                                                                          \
    } while (0)

static const std::size_t mib = 1024 * 1024;

// A value that the compiler cannot see through.
static std::size_t opaque(std::size_t size)
{
    volatile std::size_t hidden = size;
    return hidden;
}

static bool aligned_to(const void *p, std::size_t alignment)
{
    return reinterpret_cast<std::uintptr_t>(p) % alignment == 0;
}

static void check_block(void *block, std::size_t size, std::size_t alignment)
{
    CHECK(block != nullptr);
    CHECK(aligned_to(block, alignment));
    CHECK(pymem_owns(block));
    CHECK(pymem_usable_size(block) >= size);
    std::memset(block, 0x77, size);
}

static void check_gone(const void *block)
{
    CHECK(!pymem_owns(block));
}

static void test_unaligned_forms(std::size_t size)
{
    void *volatile block = ::operator new(size);
    check_block(block, size, 16);
    ::operator delete(block);
    check_gone(block);

    block = ::operator new[](size);
    check_block(block, size, 16);
    ::operator delete[](block);
    check_gone(block);

    block = ::operator new(size, std::nothrow);
    check_block(block, size, 16);
    ::operator delete(block, std::nothrow);
    check_gone(block);

    block = ::operator new[](size, std::nothrow);
    check_block(block, size, 16);
    ::operator delete[](block, std::nothrow);
    check_gone(block);

    block = ::operator new(size);
    ::operator delete(block, size);
    check_gone(block);

    block = ::operator new[](size);
    ::operator delete[](block, size);
    check_gone(block);
}

static void test_aligned_forms(std::size_t size, std::size_t alignment)
{
    const std::align_val_t align{alignment};
    void *volatile block = ::operator new(size, align);
    check_block(block, size, alignment);
    ::operator delete(block, align);
    check_gone(block);

    block = ::operator new[](size, align);
    check_block(block, size, alignment);
    ::operator delete[](block, align);
    check_gone(block);

    block = ::operator new(size, align, std::nothrow);
    check_block(block, size, alignment);
    ::operator delete(block, align, std::nothrow);
    check_gone(block);

    block = ::operator new[](size, align, std::nothrow);
    check_block(block, size, alignment);
    ::operator delete[](block, align, std::nothrow);
    check_gone(block);

    block = ::operator new(size, align);
    ::operator delete(block, size, align);
    check_gone(block);

    block = ::operator new[](size, align);
    ::operator delete[](block, size, align);
    check_gone(block);
}

static void test_null_and_zero()
{
    const std::align_val_t align{64};
    ::operator delete(nullptr);
    ::operator delete[](nullptr);
    ::operator delete(nullptr, std::nothrow);
    ::operator delete[](nullptr, std::nothrow);
    ::operator delete(nullptr, opaque(8));
    ::operator delete[](nullptr, opaque(8));
    ::operator delete(nullptr, align);
    ::operator delete[](nullptr, align);
    ::operator delete(nullptr, opaque(8), align);
    ::operator delete[](nullptr, opaque(8), align);
    void *one = ::operator new(opaque(0)), *two = ::operator new[](opaque(0));
    CHECK(one != nullptr && two != nullptr && one != two);
    ::operator delete(one);
    ::operator delete[](two);
}

template <typename Allocate> static bool throws_bad_alloc(Allocate allocate)
{
    try {
        void *volatile block = allocate();
        (void)block;
    } catch (const std::bad_alloc &) {
        return true;
    }
    return false;
}

static void test_failure(std::size_t size)
{
    const std::align_val_t align{256};
    CHECK(throws_bad_alloc([=] { return ::operator new(size); }));
    CHECK(throws_bad_alloc([=] { return ::operator new[](size); }));
    CHECK(throws_bad_alloc([=] { return ::operator new(size, align); }));
    CHECK(throws_bad_alloc([=] { return ::operator new[](size, align); }));
    CHECK(::operator new(size, std::nothrow) == nullptr);
    CHECK(::operator new[](size, std::nothrow) == nullptr);
    CHECK(::operator new(size, align, std::nothrow) == nullptr);
    CHECK(::operator new[](size, align, std::nothrow) == nullptr);
}

static int handler_calls;

struct handler_gave_up {
};

static void handler_that_throws_bad_alloc()
{
    if (++handler_calls == 3)
        throw std::bad_alloc();
}

static void handler_that_throws_other()
{
    handler_calls++;
    throw handler_gave_up();
}

static void handler_that_removes_itself()
{
    handler_calls++;
    std::set_new_handler(nullptr);
}

static void test_new_handler_is_called()
{
    const std::size_t huge = opaque(PTRDIFF_MAX);
    const std::align_val_t align{64};

    std::set_new_handler(handler_that_throws_bad_alloc);
    handler_calls = 0;
    CHECK(throws_bad_alloc([=] { return ::operator new(huge); }));
    CHECK(handler_calls == 3);
    handler_calls = 0;
    CHECK(throws_bad_alloc([=] { return ::operator new[](huge, align); }));
    CHECK(handler_calls == 3);
    handler_calls = 0;
    CHECK(::operator new(huge, std::nothrow) == nullptr);
    CHECK(handler_calls == 3);
    handler_calls = 0;
    CHECK(::operator new[](huge, align, std::nothrow) == nullptr);
    CHECK(handler_calls == 3);

    std::set_new_handler(handler_that_removes_itself);
    handler_calls = 0;
    CHECK(throws_bad_alloc([=] { return ::operator new[](huge); }));
    CHECK(handler_calls == 1);
    CHECK(std::get_new_handler() == nullptr);

    std::set_new_handler(handler_that_throws_other);
    handler_calls = 0;
    bool caught = false;
    try {
        ::operator delete(::operator new(huge));
    } catch (const handler_gave_up &) {
        caught = true;
    }
    CHECK(caught);
    CHECK(handler_calls == 1);
    std::set_new_handler(nullptr);
}

static rlimit unlimited;

static void handler_that_finds_memory()
{
    handler_calls++;
    setrlimit(RLIMIT_AS, &unlimited);
}

// The handler lifts the limit that made the request fail; the request then succeeds.
static void test_new_handler_is_honoured()
{
    CHECK(getrlimit(RLIMIT_AS, &unlimited) == 0);
    rlimit small = unlimited;
    small.rlim_cur = 64 * mib;
    std::set_new_handler(handler_that_finds_memory);
    for (int form = 0; form < 4; form++) {
        handler_calls = 0;
        CHECK(setrlimit(RLIMIT_AS, &small) == 0);
        const std::size_t size = opaque(2048 * mib);
        const std::align_val_t align{4096};
        void *volatile block = form == 0   ? ::operator new(size)
                               : form == 1 ? ::operator new[](size, align)
                               : form == 2 ? ::operator new[](size, std::nothrow)
                                           : ::operator new(size, align, std::nothrow);
        CHECK(block != nullptr);
        CHECK(handler_calls == 1);
        if (form == 0)
            ::operator delete(block);
        else if (form == 1)
            ::operator delete[](block, align);
        else if (form == 2)
            ::operator delete[](block);
        else
            ::operator delete(block, align);
    }
    setrlimit(RLIMIT_AS, &unlimited);
    std::set_new_handler(nullptr);
}

struct alignas(128) over_aligned {
    char bytes[200];
};

struct counted {
    static int live;
    std::string text = "a string long enough to need a block of its own";
    counted()
    {
        live++;
    }
    ~counted()
    {
        live--;
    }
};
int counted::live;

static void test_expressions_and_containers()
{
    over_aligned *one = new over_aligned, *many = new over_aligned[10];
    CHECK(aligned_to(one, 128) && aligned_to(many, 128));
    CHECK(pymem_owns(one));
    delete one;
    delete[] many;

    counted *objects = new counted[100];
    CHECK(counted::live == 100);
    delete[] objects;
    CHECK(counted::live == 0);

    std::vector<std::thread> threads;
    std::vector<std::unique_ptr<std::vector<std::string>>> results(4);
    for (auto &result : results)
        threads.emplace_back([&result] {
            result = std::make_unique<std::vector<std::string>>();
            for (int i = 0; i < 10000; i++)
                result->push_back("number " + std::to_string(i) + " of a long row of strings");
        });
    for (auto &thread : threads)
        thread.join();
    for (auto &result : results)
        CHECK(result->size() == 10000 && result->back() == "number 9999 of a long row of strings");
}

int main()
{
    const std::size_t sizes[] = {1, 24, 100, 1024, 5000, 100 * 1024, 3 * mib, 70 * mib};
    for (std::size_t size : sizes) {
        test_unaligned_forms(size);
        for (std::size_t alignment = 1; alignment <= 2 * mib; alignment *= 2)
            test_aligned_forms(size, alignment);
    }
    test_null_and_zero();
    test_failure(opaque(PTRDIFF_MAX));
    test_failure(opaque(SIZE_MAX));
    test_failure(opaque(std::size_t{1} << 60));
    test_new_handler_is_called();
    test_new_handler_is_honoured();
    test_expressions_and_containers();
    if (failures == 0)
        std::puts("cxx: all checks passed");
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
