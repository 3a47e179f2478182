/*
 * options.c - see options.h.
 */
#include "os/options.h"

#include <string.h>

#include "os/os.h"
#include "os/text.h"

enum { STANDARD_ERROR = 2, KEY_MAX = 32 };

enum kind { BOOLEAN, NUMBER, SIZE };

struct key {
    const char *name;
    enum kind kind;
    size_t offset; /* in struct pm_options */
};

#define KEY(name, kind)                                                                            \
    {                                                                                              \
#name, kind, offsetof(struct pm_options, name)                                             \
    }

static const struct key keys[] = {
    KEY(verbose, BOOLEAN),   KEY(confirm_conf, BOOLEAN),     KEY(abort_conf, BOOLEAN),
    KEY(stats, BOOLEAN),     KEY(background_purge, BOOLEAN), KEY(thp, BOOLEAN),
    KEY(map_names, BOOLEAN), KEY(decay_ms, NUMBER),          KEY(arena_size, SIZE),
};

enum { KEY_COUNT = sizeof keys / sizeof *keys };

static const struct pm_options defaults PM_READ_AT_START = {
    .thp = true,
    .map_names = true,
    .decay_ms = 1000,
    .arena_size = 256 * PM_MIB,
};

/* What all our variables begin with. */
static const char prefix[] PM_READ_AT_START = "PYMEM_";

/* A piece of the environment's text: not terminated. */
struct slice {
    const char *start;
    size_t length;
};

static bool equals(struct slice text, const char *word)
{
    return text.length == strlen(word) && memcmp(text.start, word, text.length) == 0;
}

static bool is_one_of(struct slice text, const char *const words[4])
{
    for (size_t i = 0; i < 4; i++) {
        if (equals(text, words[i]))
            return true;
    }
    return false;
}

static bool parse_boolean(struct slice text, bool *value)
{
    static const char *const yes[4] = {"true", "1", "yes", "on"};
    static const char *const no[4] = {"false", "0", "no", "off"};
    bool is_yes = is_one_of(text, yes);
    if (!is_yes && !is_one_of(text, no))
        return false;
    *value = is_yes;
    return true;
}

/* Digits at the start of `text`, which is moved past them. */
static bool parse_digits(struct slice *text, uint64_t *value)
{
    size_t digits = 0;
    *value = 0;
    for (; digits < text->length; digits++) {
        char c = text->start[digits];
        if (c < '0' || c > '9')
            break;
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, (uint64_t)(c - '0'), value))
            return false;
    }
    text->start += digits;
    text->length -= digits;
    return digits != 0;
}

static bool parse_number(struct slice text, int64_t *value)
{
    bool negative = text.length > 0 && text.start[0] == '-';
    if (negative) {
        text.start++;
        text.length--;
    }
    uint64_t magnitude;
    if (!parse_digits(&text, &magnitude) || text.length != 0 || magnitude > INT64_MAX)
        return false;
    *value = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return true;
}

/* 64, 64K, 64KB, 64KiB: all powers of 1024, as is the custom among allocators. */
static bool parse_size(struct slice text, size_t *value)
{
    static const char units[] = "KMGT";
    uint64_t number;
    if (!parse_digits(&text, &number))
        return false;
    unsigned shift = 0;
    const char *unit = text.length > 0 ? memchr(units, text.start[0], 4) : NULL;
    if (unit != NULL) {
        shift = 10 * (unsigned)(unit - units + 1);
        text.start++;
        text.length--;
        if (text.length > 0 && text.start[0] == 'i') {
            text.start++;
            text.length--;
        }
    }
    if (text.length > 0 && !equals(text, "B"))
        return false;
    if (number == 0 || number > (uint64_t)PTRDIFF_MAX >> shift)
        return false;
    *value = (size_t)(number << shift);
    return true;
}

static bool parse(const struct key *key, struct slice text, struct pm_options *options)
{
    void *field = (char *)options + key->offset;
    switch (key->kind) {
    case BOOLEAN:
        return parse_boolean(text, field);
    case NUMBER:
        return parse_number(text, field);
    case SIZE:
        return parse_size(text, field);
    }
    return false;
}

static void complain(const char *source, const char *what, struct slice text, const char *key)
{
    struct pm_text message;
    pm_text_clear(&message);
    pm_text_add(&message, "pymem: ");
    pm_text_add(&message, source);
    pm_text_add(&message, what);
    pm_text_add_bytes(&message, text.start, text.length < 200 ? text.length : 200);
    if (key != NULL) {
        pm_text_add(&message, "' for '");
        pm_text_add(&message, key);
    }
    pm_text_add(&message, "'\n");
    pm_text_write(&message, STANDARD_ERROR);
}

/* One "key:value"; false when it is wrong, which has been said then. */
static bool apply_pair(struct slice pair, struct pm_options *options)
{
    const char *colon = memchr(pair.start, ':', pair.length);
    struct slice name = {pair.start, colon != NULL ? (size_t)(colon - pair.start) : pair.length};
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (!equals(name, keys[i].name))
            continue;
        struct slice value = {pair.start + name.length, 0};
        if (colon != NULL)
            value = (struct slice){colon + 1, pair.length - name.length - 1};
        if (parse(&keys[i], value, options))
            return true;
        complain("PYMEM_CONF", ": bad value '", value, keys[i].name);
        return false;
    }
    complain("PYMEM_CONF", ": unknown key '", name, NULL);
    return false;
}

static bool apply_list(const char *list, struct pm_options *options)
{
    bool good = true;
    while (*list != '\0') {
        struct slice pair = {list, strcspn(list, ",")};
        if (pair.length != 0)
            good &= apply_pair(pair, options);
        list += pair.length;
        list += *list == ',';
    }
    return good;
}

static void variable_name(const char *key, char name[KEY_MAX])
{
    size_t length = strlen(prefix);
    memcpy(name, prefix, length);
    for (; *key != '\0' && length < KEY_MAX - 1; key++)
        name[length++] = *key >= 'a' && *key <= 'z' ? (char)(*key - 'a' + 'A') : *key;
    name[length] = '\0';
}

static bool apply_variables(struct pm_options *options)
{
    bool good = true;
    for (size_t i = 0; i < KEY_COUNT; i++) {
        char name[KEY_MAX];
        variable_name(keys[i].name, name);
        const char *text = pm_os_environment(name);
        if (text == NULL)
            continue;
        struct slice value = {text, strlen(text)};
        if (!parse(&keys[i], value, options)) {
            complain(name, ": bad value '", value, keys[i].name);
            good = false;
        }
    }
    return good;
}

PM_AT_START void pm_options_read(struct pm_options *options)
{
    *options = defaults;
    if (!pm_os_environment_mentions(prefix)) /* every process pays for what is done here */
        return;
    const char *list = pm_os_environment("PYMEM_CONF");
    bool good = list == NULL || apply_list(list, options);
    good &= apply_variables(options);
    if (!good && options->abort_conf)
        pm_os_abort();
}

static void add_value(struct pm_text *text, const struct key *key, const struct pm_options *options)
{
    const void *field = (const char *)options + key->offset;
    if (key->kind == BOOLEAN) {
        pm_text_add(text, *(const bool *)field ? "true" : "false");
    } else if (key->kind == SIZE) {
        pm_text_add_number(text, *(const size_t *)field);
    } else {
        int64_t number = *(const int64_t *)field;
        pm_text_add(text, number < 0 ? "-" : "");
        pm_text_add_number(text, number < 0 ? -(uint64_t)number : (uint64_t)number);
    }
}

void pm_options_print(const struct pm_options *options)
{
    struct pm_text text;
    pm_text_clear(&text);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        pm_text_add(&text, "pymem: ");
        pm_text_add(&text, keys[i].name);
        pm_text_add(&text, ":");
        add_value(&text, &keys[i], options);
        pm_text_add(&text, "\n");
    }
    pm_text_write(&text, STANDARD_ERROR);
}
