/*
 * test_options.c - every key, every message, and which of two values counts.
 */
#include "unit.h"

#include "os/options.h"

struct reading {
    const char *list;     /* PYMEM_CONF */
    const char *variable; /* of one key, with its value */
    const char *value;
    const char *message; /* what it says */
    struct pm_options expected;
};

/* What is on unless switched off, and numbers. */
#define NUMBERS(ms, bytes) .decay_ms = (ms), .arena_size = (bytes)
#define DEFAULTS_WITH(ms, bytes) .thp = true, .map_names = true, NUMBERS(ms, bytes)
#define DEFAULTS DEFAULTS_WITH(1000, 256 * PM_MIB)

static bool same(const struct pm_options *a, const struct pm_options *b)
{
    return a->verbose == b->verbose && a->confirm_conf == b->confirm_conf &&
           a->abort_conf == b->abort_conf && a->stats == b->stats &&
           a->background_purge == b->background_purge && a->thp == b->thp &&
           a->map_names == b->map_names && a->decay_ms == b->decay_ms &&
           a->arena_size == b->arena_size;
}

static void read_options(struct pm_options *options, const struct reading *reading)
{
    unsetenv("PYMEM_CONF");
    if (reading->list != NULL)
        setenv("PYMEM_CONF", reading->list, 1);
    if (reading->variable != NULL)
        setenv(reading->variable, reading->value, 1);
    pm_options_read(options);
}

static void expect(void *argument)
{
    const struct reading *reading = argument;
    struct pm_options options;
    read_options(&options, reading);
    UNIT_CHECK(same(&options, &reading->expected));
}

static void check_readings(const struct reading *readings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char text[2048];
        int status = unit_child(expect, (void *)&readings[i], text, sizeof text);
        ck_assert_str_eq(text, readings[i].message != NULL ? readings[i].message : "");
        ck_assert_int_eq(status, 0);
    }
}

START_TEST(every_key_is_read)
{
    static const struct reading readings[] = {
        {.expected = {DEFAULTS}},
        {.list = "", .expected = {DEFAULTS}},
        {.list = "verbose:true", .expected = {DEFAULTS, .verbose = true}},
        {.list = "confirm_conf:1", .expected = {DEFAULTS, .confirm_conf = true}},
        {.list = "abort_conf:yes", .expected = {DEFAULTS, .abort_conf = true}},
        {.list = "background_purge:on", .expected = {DEFAULTS, .background_purge = true}},
        {.list = "thp:false", .expected = {.map_names = true, NUMBERS(1000, 256 * PM_MIB)}},
        {.list = "map_names:false", .expected = {.thp = true, NUMBERS(1000, 256 * PM_MIB)}},
        {.list = "stats:on", .expected = {DEFAULTS, .stats = true}},
        {.list = "stats:1,stats:false", .expected = {DEFAULTS}},
        {.list = "stats:1,stats:0", .expected = {DEFAULTS}},
        {.list = "stats:1,stats:no", .expected = {DEFAULTS}},
        {.list = "stats:1,stats:off", .expected = {DEFAULTS}},
        {.list = "decay_ms:0", .expected = {DEFAULTS_WITH(0, 256 * PM_MIB)}},
        {.list = "decay_ms:-1", .expected = {DEFAULTS_WITH(-1, 256 * PM_MIB)}},
        {.list = ",,arena_size:64K,,decay_ms:7,", .expected = {DEFAULTS_WITH(7, 64 * PM_KIB)}},
        {.variable = "PYMEM_VERBOSE", .value = "1", .expected = {DEFAULTS, .verbose = true}},
        {.variable = "PYMEM_CONFIRM_CONF",
         .value = "1",
         .expected = {DEFAULTS, .confirm_conf = true}},
        {.variable = "PYMEM_ABORT_CONF", .value = "1", .expected = {DEFAULTS, .abort_conf = true}},
        {.variable = "PYMEM_STATS", .value = "1", .expected = {DEFAULTS, .stats = true}},
        {.variable = "PYMEM_BACKGROUND_PURGE",
         .value = "1",
         .expected = {DEFAULTS, .background_purge = true}},
        {.variable = "PYMEM_THP",
         .value = "0",
         .expected = {.map_names = true, NUMBERS(1000, 256 * PM_MIB)}},
        {.variable = "PYMEM_MAP_NAMES",
         .value = "0",
         .expected = {.thp = true, NUMBERS(1000, 256 * PM_MIB)}},
        {.variable = "PYMEM_DECAY_MS",
         .value = "20",
         .expected = {DEFAULTS_WITH(20, 256 * PM_MIB)}},
        {.variable = "PYMEM_ARENA_SIZE", .value = "1M", .expected = {DEFAULTS_WITH(1000, PM_MIB)}},
    };
    check_readings(readings, UNIT_COUNT_OF(readings));
}
END_TEST

START_TEST(sizes_have_units)
{
    static const struct {
        const char *list;
        size_t size;
    } sizes[] = {
        {"arena_size:1", 1},
        {"arena_size:12345", 12345},
        {"arena_size:12B", 12},
        {"arena_size:2K", 2 * PM_KIB},
        {"arena_size:2KB", 2 * PM_KIB},
        {"arena_size:2KiB", 2 * PM_KIB},
        {"arena_size:2Ki", 2 * PM_KIB},
        {"arena_size:3M", 3 * PM_MIB},
        {"arena_size:3GiB", 3 * PM_GIB},
        {"arena_size:4T", 4096 * PM_GIB},
        {"arena_size:9223372036854775807", PTRDIFF_MAX},
    };
    for (size_t i = 0; i < UNIT_COUNT_OF(sizes); i++) {
        struct reading reading = {.list = sizes[i].list};
        struct pm_options options;
        read_options(&options, &reading);
        ck_assert_uint_eq(options.arena_size, sizes[i].size);
    }
}
END_TEST

START_TEST(later_and_narrower_wins)
{
    static const struct reading readings[] = {
        {.list = "decay_ms:1,decay_ms:2", .expected = {DEFAULTS_WITH(2, 256 * PM_MIB)}},
        {.list = "decay_ms:1",
         .variable = "PYMEM_DECAY_MS",
         .value = "3",
         .expected = {DEFAULTS_WITH(3, 256 * PM_MIB)}},
    };
    check_readings(readings, UNIT_COUNT_OF(readings));
}
END_TEST

static const char *const bad_values[] = {
    "decay_ms:",
    "decay_ms:-",
    "decay_ms:1x",
    "decay_ms: 1",
    "decay_ms:+1",
    "decay_ms:1.5",
    "decay_ms:9223372036854775808",
    "decay_ms:99999999999999999999",
    "arena_size:",
    "arena_size:0",
    "arena_size:0K",
    "arena_size:K",
    "arena_size:-1",
    "arena_size:1k",
    "arena_size:1KK",
    "arena_size:1iB",
    "arena_size:1KiBB",
    "arena_size:9223372036854775808",
    "arena_size:8388608T",
    "arena_size:18446744073709551616",
    "stats:",
    "stats:tru",
    "stats:TRUE",
    "stats:2",
    "verbose:",
    "confirm_conf:maybe",
};

START_TEST(bad_values_are_named_and_ignored)
{
    for (size_t i = 0; i < UNIT_COUNT_OF(bad_values); i++) {
        char message[256];
        const char *colon = strchr(bad_values[i], ':');
        snprintf(message, sizeof message, "pymem: PYMEM_CONF: bad value '%s' for '%.*s'\n",
                 colon + 1, (int)(colon - bad_values[i]), bad_values[i]);
        struct reading reading = {bad_values[i], NULL, NULL, message, {DEFAULTS}};
        check_readings(&reading, 1);
    }
}
END_TEST

START_TEST(a_bad_value_leaves_the_earlier_one)
{
    static const struct reading readings[] = {
        {"decay_ms:5,decay_ms:x",
         NULL,
         NULL,
         "pymem: PYMEM_CONF: bad value 'x' for 'decay_ms'\n",
         {DEFAULTS_WITH(5, 256 * PM_MIB)}},
        {"arena_size:1M,arena_size:x",
         NULL,
         NULL,
         "pymem: PYMEM_CONF: bad value 'x' for 'arena_size'\n",
         {DEFAULTS_WITH(1000, PM_MIB)}},
        {"stats:true,stats:x",
         NULL,
         NULL,
         "pymem: PYMEM_CONF: bad value 'x' for 'stats'\n",
         {DEFAULTS, .stats = true}},
        {"stats:true",
         "PYMEM_STATS",
         "x",
         "pymem: PYMEM_STATS: bad value 'x' for 'stats'\n",
         {DEFAULTS, .stats = true}},
    };
    check_readings(readings, UNIT_COUNT_OF(readings));
}
END_TEST

START_TEST(other_messages)
{
    static const struct reading readings[] = {
        {"colour:red", NULL, NULL, "pymem: PYMEM_CONF: unknown key 'colour'\n", {DEFAULTS}},
        {"stat:1", NULL, NULL, "pymem: PYMEM_CONF: unknown key 'stat'\n", {DEFAULTS}},
        {":1", NULL, NULL, "pymem: PYMEM_CONF: unknown key ''\n", {DEFAULTS}},
        {"stats", NULL, NULL, "pymem: PYMEM_CONF: bad value '' for 'stats'\n", {DEFAULTS}},
        {"a:1,stats:1,b:2",
         NULL,
         NULL,
         "pymem: PYMEM_CONF: unknown key 'a'\npymem: PYMEM_CONF: unknown key 'b'\n",
         {DEFAULTS, .stats = true}},
        {NULL,
         "PYMEM_DECAY_MS",
         "soon",
         "pymem: PYMEM_DECAY_MS: bad value 'soon' for 'decay_ms'\n",
         {DEFAULTS}},
        {NULL,
         "PYMEM_ARENA_SIZE",
         "",
         "pymem: PYMEM_ARENA_SIZE: bad value '' for 'arena_size'\n",
         {DEFAULTS}},
    };
    check_readings(readings, UNIT_COUNT_OF(readings));
}
END_TEST

static void read_only(void *argument)
{
    struct pm_options options;
    read_options(&options, argument);
}

START_TEST(abort_conf_ends_the_process)
{
    static const struct reading readings[] = {
        {"abort_conf:true,x:1", NULL, NULL, "pymem: PYMEM_CONF: unknown key 'x'\n", {DEFAULTS}},
        {"x:1,abort_conf:true", NULL, NULL, "pymem: PYMEM_CONF: unknown key 'x'\n", {DEFAULTS}},
        {"abort_conf:true",
         "PYMEM_STATS",
         "x",
         "pymem: PYMEM_STATS: bad value 'x' for 'stats'\n",
         {DEFAULTS}},
        {"abort_conf:true,abort_conf:x",
         NULL,
         NULL,
         "pymem: PYMEM_CONF: bad value 'x' for 'abort_conf'\n",
         {DEFAULTS}},
    };
    for (size_t i = 0; i < UNIT_COUNT_OF(readings); i++)
        unit_child_aborts(read_only, (void *)&readings[i], readings[i].message);
}
END_TEST

static void print(void *options)
{
    pm_options_print(options);
}

START_TEST(print_names_every_key)
{
    char text[1024];
    struct pm_options options = {.stats = true, .decay_ms = -1, .arena_size = PM_MIB};
    ck_assert_int_eq(unit_child(print, &options, text, sizeof text), 0);
    ck_assert_str_eq(text,
                     "pymem: verbose:false\npymem: confirm_conf:false\n"
                     "pymem: abort_conf:false\npymem: stats:true\n"
                     "pymem: background_purge:false\npymem: thp:false\n"
                     "pymem: map_names:false\npymem: decay_ms:-1\npymem: arena_size:1048576\n");
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, every_key_is_read);
    tcase_add_test(tests, sizes_have_units);
    tcase_add_test(tests, later_and_narrower_wins);
    tcase_add_test(tests, bad_values_are_named_and_ignored);
    tcase_add_test(tests, a_bad_value_leaves_the_earlier_one);
    tcase_add_test(tests, other_messages);
    tcase_add_test(tests, abort_conf_ends_the_process);
    tcase_add_test(tests, print_names_every_key);
}

int main(void)
{
    return unit_run("options", add);
}
