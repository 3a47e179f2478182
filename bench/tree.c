/*
 * tree: what a compiler or a template engine does. Again and again a linked list of tokens is made,
 * a syntax tree of nodes of several shapes is built from it, the tokens are dropped, the tree is
 * folded to a value, and the tree of some rounds ago is dropped.
 *
 * Usage: tree [TREES [NODES [KEPT]]]     up to NODES in a tree, the last KEPT trees stay alive
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { NUMBER, NAME, UNARY, BINARY, CALL, KINDS };
enum { MAX_ARGS = 6, NAME_MAX_LENGTH = 20 };

struct token {
    struct token *next;
    enum kind kind;
    uint32_t value;
    char text[]; /* NAME: value % NAME_MAX_LENGTH + 1 letters and a zero byte */
};

/* The length depends on the kind, so that one tree mixes blocks of many sizes. */
struct node {
    enum kind kind;
    uint32_t value;
    struct node *child[]; /* UNARY 1, BINARY 2, CALL arity(value); NAME: its text instead */
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

static void *get(size_t size)
{
    void *p = malloc(size);
    if (!p) {
        perror("tree");
        exit(1);
    }
    return p;
}

static size_t name_length(uint32_t value)
{
    return value % NAME_MAX_LENGTH + 1;
}

static size_t arity(enum kind kind, uint32_t value)
{
    switch (kind) {
    case UNARY:
        return 1;
    case BINARY:
        return 2;
    case CALL:
        return 1 + value % MAX_ARGS;
    default:
        return 0;
    }
}

static struct token *tokens_new(size_t count)
{
    struct token *first = NULL;
    while (count-- > 0) {
        enum kind kind = random32() % KINDS;
        uint32_t value = random32();
        size_t text = kind == NAME ? name_length(value) + 1 : 0;
        struct token *t = get(sizeof *t + text);
        *t = (struct token){.next = first, .kind = kind, .value = value};
        if (text) {
            memset(t->text, 'a' + (int)(value % 26), text - 1);
            t->text[text - 1] = 0;
        }
        first = t;
    }
    return first;
}

static void tokens_drop(struct token *t)
{
    while (t) {
        struct token *next = t->next;
        free(t);
        t = next;
    }
}

/* Consumes tokens from *t; where they run out, or the tree gets deep, leaves end it. */
static struct node *tree_new(struct token **t, int depth)
{
    struct token *token = *t;
    enum kind kind = token && depth > 0 ? token->kind : NUMBER;
    uint32_t value = token ? token->value : 1;
    size_t text = kind == NAME ? name_length(value) + 1 : 0;
    struct node *n = get(sizeof *n + text + arity(kind, value) * sizeof n->child[0]);
    n->kind = kind;
    n->value = value;
    if (token)
        *t = token->next;
    if (kind == NAME)
        memcpy(n->child, token->text, text);
    for (size_t i = 0; i < arity(kind, value); i++)
        n->child[i] = tree_new(t, depth - 1);
    return n;
}

static uint64_t tree_fold(const struct node *n)
{
    uint64_t value = n->value;
    if (n->kind == NAME)
        value += strlen((const char *)n->child);
    for (size_t i = 0; i < arity(n->kind, n->value); i++)
        value = value * 31 + tree_fold(n->child[i]);
    return value;
}

static void tree_drop(struct node *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < arity(n->kind, n->value); i++)
        tree_drop(n->child[i]);
    free(n);
}

/* A statement list: a spine of BINARY nodes whose left child is one expression. */
static struct node *program_new(size_t tokens)
{
    struct token *first = tokens_new(tokens), *t = first;
    struct node *spine = NULL;
    while (t) {
        struct node *n = get(sizeof *n + 2 * sizeof n->child[0]);
        n->kind = BINARY;
        n->value = (uint32_t)tokens;
        n->child[0] = tree_new(&t, 12);
        n->child[1] = spine ? spine : tree_new(&t, 0);
        spine = n;
    }
    tokens_drop(first);
    return spine;
}

int main(int argc, char **argv)
{
    size_t trees = number_arg(argc, argv, 1, 10000);
    size_t nodes = number_arg(argc, argv, 2, 3000);
    size_t kept = number_arg(argc, argv, 3, 200);
    struct node **ring = calloc(kept, sizeof *ring);
    if (!ring || !nodes || !kept) {
        fprintf(stderr, "usage: tree [TREES [NODES [KEPT]]]\n");
        return 2;
    }
    uint64_t sum = 0;
    for (size_t n = 0; n < trees; n++) {
        struct node *tree = program_new(1 + random32() % nodes);
        sum += tree_fold(tree);
        tree_drop(ring[n % kept]);
        ring[n % kept] = tree;
    }
    for (size_t i = 0; i < kept; i++) {
        sum += ring[i] ? tree_fold(ring[i]) : 0;
        tree_drop(ring[i]);
    }
    free(ring);
    printf("checksum %llu\n", (unsigned long long)sum);
    return 0;
}
