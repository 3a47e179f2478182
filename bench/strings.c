/*
 * strings: text work. Lines are put together in growing buffers, split into words, and the words
 * counted in a chained hash table that owns a copy of each; the table grows, and when it is full
 * half of its entries are dropped. The last lines stay alive, as in a log viewer.
 *
 * Usage: strings [LINES [VOCABULARY [ENTRIES [HISTORY]]]]
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_IN_LINE = 14, WORD_MAX = 32 };

struct entry {
    struct entry *next;
    char *word;
    uint32_t hash;
    uint32_t count;
};

struct table {
    struct entry **buckets;
    size_t bucket_count; /* a power of two */
    size_t entries;
};

struct text {
    char *bytes;
    size_t length, capacity;
};

static uint64_t rng_state = 0x9e3779b97f4a7c15u;

static uint32_t random32(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return (uint32_t)(rng_state >> 32);
}

static size_t number_arg(int argc, char **argv, int i, size_t fallback)
{
    return i < argc ? strtoull(argv[i], NULL, 10) : fallback;
}

static void *checked(void *p)
{
    if (!p) {
        perror("strings");
        exit(1);
    }
    return p;
}

/* Small numbers are far more frequent than large ones, as words in a language are. */
static uint32_t random_word_number(size_t vocabulary)
{
    uint64_t r = random32() >> 8;
    r = (r * r) >> 24;
    r = (r * r) >> 24;
    return (uint32_t)((r * vocabulary) >> 24);
}

/* The same number always gives the same word of 2 to 25 letters. */
static size_t word_spell(uint32_t number, char word[WORD_MAX])
{
    uint64_t h = (number + 1) * 0x9e3779b97f4a7c15u;
    size_t length = 2 + (size_t)((h >> 56) % 12) + (size_t)((h >> 52) % 16 ? 0 : 12);
    for (size_t i = 0; i < length; i++) {
        word[i] = (char)('a' + (h >> 33) % 26);
        h = h * 0x5851f42d4c957f2du + number;
    }
    return length;
}

static void text_append(struct text *t, const char *bytes, size_t length)
{
    if (t->length + length + 1 > t->capacity) {
        t->capacity = 2 * t->capacity + length + 16;
        t->bytes = checked(realloc(t->bytes, t->capacity));
    }
    memcpy(t->bytes + t->length, bytes, length);
    t->length += length;
    t->bytes[t->length] = 0;
}

static char *line_new(size_t vocabulary)
{
    struct text line = {0};
    char word[WORD_MAX];
    for (uint32_t n = 1 + random32() % WORDS_IN_LINE; n > 0; n--) {
        size_t length = word_spell(random_word_number(vocabulary), word);
        word[length++] = ' ';
        text_append(&line, word, length);
    }
    return line.bytes;
}

static uint32_t hash_of(const char *word)
{
    uint32_t h = 2166136261u;
    for (; *word; word++)
        h = (h ^ (unsigned char)*word) * 16777619u;
    return h;
}

static void table_grow(struct table *t)
{
    size_t count = t->bucket_count ? 2 * t->bucket_count : 64;
    struct entry **buckets = checked(calloc(count, sizeof *buckets));
    for (size_t i = 0; i < t->bucket_count; i++) {
        for (struct entry *e = t->buckets[i], *next; e; e = next) {
            next = e->next;
            e->next = buckets[e->hash & (count - 1)];
            buckets[e->hash & (count - 1)] = e;
        }
    }
    free(t->buckets);
    t->buckets = buckets;
    t->bucket_count = count;
}

/* Takes the word over: keeps it in a new entry, or frees it where it is known. */
static void table_count(struct table *t, char *word)
{
    if (t->entries >= t->bucket_count)
        table_grow(t);
    uint32_t hash = hash_of(word);
    struct entry **bucket = &t->buckets[hash & (t->bucket_count - 1)];
    for (struct entry *e = *bucket; e; e = e->next) {
        if (e->hash == hash && strcmp(e->word, word) == 0) {
            e->count++;
            free(word);
            return;
        }
    }
    struct entry *e = checked(malloc(sizeof *e));
    *e = (struct entry){.next = *bucket, .word = word, .hash = hash, .count = 1};
    *bucket = e;
    t->entries++;
}

/* Drops every entry whose hash, mixed with salt, ends in a one bit (all of them: every = 1). */
static uint64_t table_drop_some(struct table *t, uint32_t salt, int every)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < t->bucket_count; i++) {
        struct entry **link = &t->buckets[i];
        while (*link) {
            struct entry *e = *link;
            if (!every && !(((e->hash * 0x9e3779b1u) ^ salt) >> 31)) {
                link = &e->next;
                continue;
            }
            *link = e->next;
            sum += e->count * (uint64_t)e->hash;
            free(e->word);
            free(e);
            t->entries--;
        }
    }
    return sum;
}

static void count_words(struct table *t, const char *line)
{
    while (*line) {
        size_t length = strcspn(line, " ");
        char *word = checked(malloc(length + 1));
        memcpy(word, line, length);
        word[length] = 0;
        table_count(t, word);
        line += length + 1;
    }
}

int main(int argc, char **argv)
{
    size_t lines = number_arg(argc, argv, 1, 600000);
    size_t vocabulary = number_arg(argc, argv, 2, 2000000);
    size_t entries = number_arg(argc, argv, 3, 200000);
    size_t history = number_arg(argc, argv, 4, 50000);
    struct table table = {0};
    char **ring = calloc(history, sizeof *ring);
    if (!ring || !vocabulary || !entries || !history) {
        fprintf(stderr, "usage: strings [LINES [VOCABULARY [ENTRIES [HISTORY]]]]\n");
        return 2;
    }
    uint64_t sum = 0;
    for (size_t n = 0; n < lines; n++) {
        char *line = line_new(vocabulary);
        count_words(&table, line);
        free(ring[n % history]);
        ring[n % history] = line;
        if (table.entries >= entries)
            sum += table_drop_some(&table, random32(), 0);
    }
    sum += table_drop_some(&table, 0, 1);
    free(table.buckets);
    for (size_t i = 0; i < history; i++)
        free(ring[i]);
    free(ring);
    printf("checksum %llu\n", (unsigned long long)sum);
    return 0;
}
