/*
 * test_figures.c - what the malloc family says about memory: usable sizes,
 * the waste per block, mallinfo, malloc_info, malloc_stats, mallopt, and
 * malloc_trim, which really gives memory back.
 */
#include "api_test.h"
#include "xml_check.h"

#include <malloc.h>
#include <pthread.h>

enum { MANY = 64 * 1024, MANY_SIZE = 1024 };

static char *many[MANY];

static void fill_many(void)
{
    for (size_t i = 0; i < MANY; i++) {
        many[i] = malloc(MANY_SIZE);
        ck_assert_ptr_nonnull(many[i]);
        memset(many[i], (int)i, MANY_SIZE);
    }
}

static void free_many(void)
{
    for (size_t i = 0; i < MANY; i++)
        free(many[i]);
}

static size_t many_usable(void)
{
    size_t sum = 0;
    for (size_t i = 0; i < MANY; i++)
        sum += malloc_usable_size(many[i]);
    return sum;
}

/* `now` lies `least` to `most` above `before`; tables and buffers may take a little more. */
static void check_moved(size_t before, size_t now, size_t least, size_t most)
{
    const size_t slack = 128 * KIB;
    ck_assert_uint_ge(now + slack, before + least);
    ck_assert_uint_le(now, before + most + slack);
}

static size_t in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks;
}

START_TEST(usable_size_is_constant_and_usable)
{
    enum { BLOCKS = 3000 };
    static void *blocks[BLOCKS];
    static size_t usable[BLOCKS];
    uint64_t random = random_seed();
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t limit = (size_t)1 << (4 + random_next(&random) % 15);
        size_t size = random_next(&random) % limit;
        blocks[i] = malloc(size);
        ck_assert_ptr_nonnull(blocks[i]);
        usable[i] = malloc_usable_size(blocks[i]);
        ck_assert_uint_ge(usable[i], size);
        pattern_fill(blocks[i], usable[i], (unsigned)i);
    }
    for (size_t i = 1; i < BLOCKS; i += 2)
        free(blocks[i]);
    for (size_t i = 0; i < BLOCKS; i += 2) {
        ck_assert_uint_eq(malloc_usable_size(blocks[i]), usable[i]);
        ck_assert(pattern_intact(blocks[i], usable[i], (unsigned)i));
        free(blocks[i]);
    }
    ck_assert_uint_eq(malloc_usable_size(NULL), 0);
}
END_TEST

/* At most one eighth of the block; a block of its own pages may also round up to the page. */
static void check_waste(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *block = malloc(size);
    ck_assert_ptr_nonnull(block);
    size_t usable = malloc_usable_size(block);
    free(block);
    ck_assert_uint_ge(usable, size);
    size_t waste = usable - size;
    if (waste > usable / 8 && !(size >= 32 * KIB && waste < page))
        ck_abort_msg("a request of %zu got %zu bytes", size, usable);
}

START_TEST(waste_is_at_most_an_eighth)
{
    for (size_t size = 129; size <= 70000; size++)
        check_waste(size);
    for (size_t size = 70001; size <= 64 * MIB; size = size + size / 97 + 1)
        check_waste(size);
    for (size_t power = 128 * KIB; power <= 64 * MIB; power *= 2) {
        check_waste(power - 1);
        check_waste(power);
        check_waste(power + 1);
        check_waste(power + power / 2 + 1);
    }
}
END_TEST

START_TEST(trim_lowers_resident_memory)
{
    malloc_trim(0);
    size_t before = resident_bytes();
    fill_many();
    size_t filled = resident_bytes();
    ck_assert_uint_ge(filled, before + 60 * MIB);
    free_many();
    malloc_trim(0);
    size_t after = resident_bytes();
    ck_assert_uint_le(after, before + 8 * MIB);
    /* The heap serves as before. */
    fill_many();
    for (size_t i = 0; i < MANY; i++)
        ck_assert(many[i][0] == (char)i && many[i][MANY_SIZE - 1] == (char)i);
    free_many();
}
END_TEST

static void *fill_and_thin_out(void *unused)
{
    fill_many();
    for (size_t i = 0; i < MANY; i++)
        if (i % 512 != 0) {
            free(many[i]);
            many[i] = NULL;
        }
    return unused;
}

/* Nobody owns what an ended thread has left. */
START_TEST(trim_reaches_what_threads_left_behind)
{
    pthread_t thread;
    size_t before = resident_bytes();
    ck_assert_int_eq(pthread_create(&thread, NULL, fill_and_thin_out, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    malloc_trim(0);
    ck_assert_uint_le(resident_bytes(), before + 12 * MIB);
    for (size_t i = 0; i < MANY; i += 512)
        ck_assert(many[i][0] == (char)i && many[i][MANY_SIZE - 1] == (char)i);
    free_many();
}
END_TEST

START_TEST(trim_keeps_live_blocks)
{
    fill_many();
    for (size_t i = 0; i < MANY; i++)
        if (i % 4096 != 0)
            free(many[i]);
    malloc_trim(0);
    malloc_trim(1 * MIB);
    for (size_t i = 0; i < MANY; i += 4096) {
        for (size_t byte = 0; byte < MANY_SIZE; byte++)
            ck_assert_int_eq(many[i][byte], (char)i);
        free(many[i]);
    }
    int again = malloc_trim(0);
    ck_assert(again == 0 || again == 1);
}
END_TEST

START_TEST(mallinfo_follows_small_blocks)
{
    free(malloc(MANY_SIZE));
    size_t before = in_use();
    fill_many();
    size_t full = in_use();
    check_moved(before, full, (size_t)MANY * MANY_SIZE, many_usable() + (size_t)MANY * 16);
    struct mallinfo2 info = mallinfo2();
    ck_assert_uint_le(info.uordblks, info.arena + info.hblkhd);
    free_many();
    check_moved(before, in_use(), 0, 0);
}
END_TEST

START_TEST(mallinfo_follows_large_blocks)
{
    struct mallinfo2 before = mallinfo2();
    char *large = malloc(100 * MIB);
    ck_assert_ptr_nonnull(large);
    struct mallinfo2 full = mallinfo2();
    size_t was = before.uordblks + before.hblkhd, is = full.uordblks + full.hblkhd;
    ck_assert_uint_ge(is, was + 100 * MIB);
    ck_assert_uint_le(is, was + 101 * MIB); /* counted once */
    ck_assert_uint_eq(full.arena, full.uordblks + full.fordblks);
    free(large);
    struct mallinfo2 after = mallinfo2();
    ck_assert_uint_le(after.uordblks, before.uordblks + 128 * KIB);
}
END_TEST

START_TEST(mallinfo_is_mallinfo2_in_int)
{
    fill_many();
    struct mallinfo2 wide = mallinfo2();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    struct mallinfo narrow = mallinfo();
#pragma GCC diagnostic pop
    ck_assert_int_eq(narrow.uordblks, (int)wide.uordblks);
    ck_assert_int_eq(narrow.arena, (int)wide.arena);
    free_many();
}
END_TEST

static void *fill_in_thread(void *unused)
{
    (void)unused;
    fill_many();
    return NULL;
}

START_TEST(figures_span_threads)
{
    malloc_trim(0);
    size_t before = in_use(), resident = resident_bytes();
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, fill_in_thread, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    check_moved(before, in_use(), (size_t)MANY * MANY_SIZE, many_usable() + (size_t)MANY * 16);
    free_many();
    malloc_trim(0);
    check_moved(before, in_use(), 0, 0);
    ck_assert_uint_le(resident_bytes(), resident + 8 * MIB);
}
END_TEST

/* The number behind the last `key`, which is the total's. */
static size_t xml_number(const char *text, const char *key)
{
    const char *last = NULL;
    for (const char *at = strstr(text, key); at != NULL; at = strstr(at + 1, key))
        last = at;
    ck_assert_ptr_nonnull(last);
    return strtoull(last + strlen(key), NULL, 10);
}

static size_t read_malloc_info(FILE *stream)
{
    static char text[256 * 1024];
    ck_assert_ptr_nonnull(stream);
    ck_assert_int_eq(malloc_info(0, stream), 0);
    ck_assert_int_eq(fflush(stream), 0);
    rewind(stream);
    size_t length = fread(text, 1, sizeof text - 1, stream);
    ck_assert_uint_lt(length, sizeof text - 1);
    text[length] = '\0';
    ck_assert(strncmp(text, "<malloc version=\"", 17) == 0);
    ck_assert(xml_well_formed(text));
    size_t current = xml_number(text, "<system type=\"current\" size=\"");
    ck_assert_uint_ge(xml_number(text, "<system type=\"max\" size=\""), current);
    return current;
}

START_TEST(malloc_info_is_xml_with_true_figures)
{
    ck_assert(!xml_well_formed("<malloc><a></malloc>"));
    ck_assert(!xml_well_formed("<malloc a=1></malloc>"));
    ck_assert(xml_well_formed("<malloc version=\"1\">\n<a b=\"c\"/>text\n</malloc>\n"));
    FILE *stream = tmpfile();
    read_malloc_info(stream);
    fclose(stream);
    fill_many();
    stream = tmpfile();
    size_t full = read_malloc_info(stream);
    fclose(stream);
    ck_assert_uint_ge(full, (size_t)MANY * MANY_SIZE);
    ck_assert_uint_le(full, 8 * (size_t)MANY * MANY_SIZE);
    free_many();
}
END_TEST

START_TEST(malloc_info_to_a_growing_buffer)
{
    /* The stream allocates while malloc_info writes to it. */
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    ck_assert_ptr_nonnull(stream);
    for (int i = 0; i < 200; i++)
        ck_assert_int_eq(malloc_info(0, stream), 0);
    ck_assert_int_eq(fclose(stream), 0);
    ck_assert_uint_gt(length, 200);
    free(text);
}
END_TEST

START_TEST(malloc_info_refuses_options)
{
    FILE *stream = tmpfile();
    ck_assert_ptr_nonnull(stream);
    ck_assert_int_ne(malloc_info(1, stream), 0);
    fflush(stream);
    ck_assert_int_eq(ftell(stream), 0);
    fclose(stream);
}
END_TEST

START_TEST(malloc_stats_goes_to_standard_error)
{
    char text[8192];
    FILE *file = tmpfile();
    ck_assert_ptr_nonnull(file);
    fflush(stderr);
    int saved = dup(STDERR_FILENO);
    ck_assert_int_ge(dup2(fileno(file), STDERR_FILENO), 0);
    malloc_stats();
    fflush(stderr);
    ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
    close(saved);
    rewind(file);
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    ck_assert_uint_gt(length, 0);
    text[length] = '\0';
    ck_assert_ptr_nonnull(strpbrk(text, "0123456789"));
    ck_assert_int_eq(text[length - 1], '\n');
}
END_TEST

START_TEST(mallopt_accepts_what_programs_set)
{
    static const int settings[][2] = {{M_MMAP_THRESHOLD, 128 * 1024},
                                      {M_TRIM_THRESHOLD, 64 * 1024},
                                      {M_TOP_PAD, 0},
                                      {M_MMAP_MAX, 65536},
                                      {M_ARENA_MAX, 2},
                                      {M_MXFAST, 64},
                                      {M_PERTURB, 0},
                                      {M_NLBLKS, 100},
                                      {M_GRAIN, 16},
                                      {M_KEEP, 0}};
    for (size_t i = 0; i < COUNT_OF(settings); i++)
        ck_assert_int_eq(mallopt(settings[i][0], settings[i][1]), 1);
    for (size_t size = 1; size <= 4 * MIB; size *= 3) {
        void *block = malloc(size);
        ck_assert_ptr_nonnull(block);
        pattern_fill(block, size, 4);
        free(block);
    }
}
END_TEST

int main(void)
{
    const struct api_test tests[] = {
        {"usable_size_is_constant_and_usable", usable_size_is_constant_and_usable},
        {"waste_is_at_most_an_eighth", waste_is_at_most_an_eighth},
        {"trim_lowers_resident_memory", trim_lowers_resident_memory},
        {"trim_reaches_what_threads_left_behind", trim_reaches_what_threads_left_behind},
        {"trim_keeps_live_blocks", trim_keeps_live_blocks},
        {"mallinfo_follows_small_blocks", mallinfo_follows_small_blocks},
        {"mallinfo_follows_large_blocks", mallinfo_follows_large_blocks},
        {"mallinfo_is_mallinfo2_in_int", mallinfo_is_mallinfo2_in_int},
        {"figures_span_threads", figures_span_threads},
        {"malloc_info_is_xml_with_true_figures", malloc_info_is_xml_with_true_figures},
        {"malloc_info_to_a_growing_buffer", malloc_info_to_a_growing_buffer},
        {"malloc_info_refuses_options", malloc_info_refuses_options},
        {"malloc_stats_goes_to_standard_error", malloc_stats_goes_to_standard_error},
        {"mallopt_accepts_what_programs_set", mallopt_accepts_what_programs_set},
    };
    return RUN_TESTS("figures", tests);
}
