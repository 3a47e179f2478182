/*
 * test_text.c - texts put together without stdio.
 */
#include "unit.h"

#include "os/text.h"

static struct pm_text text;

static void is(const char *expected)
{
    ck_assert_uint_eq(text.length, strlen(expected));
    ck_assert_int_eq(memcmp(text.bytes, expected, text.length), 0);
    pm_text_clear(&text);
}

START_TEST(strings_and_bytes_follow_one_another)
{
    pm_text_clear(&text);
    is("");
    pm_text_add(&text, "one");
    pm_text_add(&text, "");
    pm_text_add_bytes(&text, " two and more", 4);
    is("one two");
}
END_TEST

START_TEST(numbers_read_as_printf_writes_them)
{
    static const uint64_t numbers[] = {0, 1, 9, 10, 99, 4096, UINT32_MAX, INT64_MAX, UINT64_MAX};
    for (size_t i = 0; i < UNIT_COUNT_OF(numbers); i++) {
        char expected[64];
        snprintf(expected, sizeof expected, "%llu", (unsigned long long)numbers[i]);
        pm_text_add_number(&text, numbers[i]);
        is(expected);
        snprintf(expected, sizeof expected, "%14llu", (unsigned long long)numbers[i]);
        pm_text_add_column(&text, numbers[i], 14);
        is(expected);
        snprintf(expected, sizeof expected, "0x%llx", (unsigned long long)numbers[i]);
        pm_text_add_address(&text, numbers[i]);
        is(expected);
    }
}
END_TEST

START_TEST(what_does_not_fit_is_cut_off)
{
    struct {
        struct pm_text text;
        char after[8];
    } guarded = {.after = "guard"};
    for (size_t i = 0; i < 200; i++)
        pm_text_add(&guarded.text, "1234567");
    ck_assert_uint_eq(guarded.text.length, sizeof guarded.text.bytes);
    pm_text_add_number(&guarded.text, UINT64_MAX);
    pm_text_add_column(&guarded.text, 1, 5000);
    ck_assert_uint_eq(guarded.text.length, sizeof guarded.text.bytes);
    ck_assert_str_eq(guarded.after, "guard");
}
END_TEST

START_TEST(writing_empties_the_text)
{
    int ends[2];
    char read_back[16] = "";
    ck_assert_int_eq(pipe(ends), 0);
    pm_text_add(&text, "written\n");
    pm_text_write(&text, ends[1]);
    ck_assert_int_eq(read(ends[0], read_back, sizeof read_back), 8);
    ck_assert_str_eq(read_back, "written\n");
    is("");
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, strings_and_bytes_follow_one_another);
    tcase_add_test(tests, numbers_read_as_printf_writes_them);
    tcase_add_test(tests, what_does_not_fit_is_cut_off);
    tcase_add_test(tests, writing_empties_the_text);
}

int main(void)
{
    return unit_run("text", add);
}
