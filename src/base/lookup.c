/* lookup.c - the table of lookup.h: chains, as many as a power of two, doubled when there are more
 * nodes. */
#include "lookup.h"

#include <stdlib.h>
#include <string.h>

#include "assert.h"
#include "hostile.h"

enum {
    BITS_FIRST = COPI_LIMIT(4, 1),
    BITS_MAX = 30
};

struct lookup_node *copi_lookup_find(const struct lookup *lookup, const struct lookup_text *text)
{
    struct lookup_node *node = copi_lookup_begin(lookup, text->hash);
    while (node != NULL && !copi_lookup_fits(node, text)) node = copi_lookup_follow(&node->next);
    return node;
}

/* ---- writing --------------------------------------------------------------------------- */

static struct lookup_index *index_of(const struct lookup *lookup)
{
    return atomic_load_explicit(&lookup->index, memory_order_relaxed);
}

static void begin(struct lookup *lookup)
{
    uint64_t version = atomic_load_explicit(&lookup->version, memory_order_relaxed);
    COP_DEBUG(version % 2 == 0);
    atomic_store_explicit(&lookup->version, version + 1, memory_order_relaxed);
}

static void end(struct lookup *lookup)
{
    uint64_t version = atomic_load_explicit(&lookup->version, memory_order_relaxed);
    COP_DEBUG(version % 2 == 1);
    atomic_store_explicit(&lookup->version, version + 1, memory_order_release);
}

/* Release: see lookup.h, Orders. */
static void write(_Atomic uint64_t *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_release);
}

static void lead(_Atomic(struct lookup_node *) *link, struct lookup_node *node)
{
    atomic_store_explicit(link, node, memory_order_release);
}

static size_t chain_count(const struct lookup_index *index)
{
    return (size_t)1 << (64 - index->shift);
}

static _Atomic(struct lookup_node *) *chain_of(struct lookup_index *index,
                                               const struct lookup_node *node)
{
    return &index->chains[copi_lookup_load(&node->hash) >> index->shift];
}

static void push(struct lookup_index *index, struct lookup_node *node)
{
    _Atomic(struct lookup_node *) *chain = chain_of(index, node);
    lead(&node->next, copi_lookup_follow(chain));
    lead(chain, node);
}

/* False if there is no index at all: one that is too small does. */
static bool make_room(struct lookup *lookup)
{
    struct lookup_index *old = index_of(lookup);
    if (old != NULL && (lookup->count < chain_count(old) || 64 - old->shift == BITS_MAX))
        return true;
    unsigned bits = old == NULL ? BITS_FIRST : 64 - old->shift + 1;
    struct lookup_index *larger =
        calloc(1, sizeof *larger + ((size_t)1 << bits) * sizeof larger->chains[0]);
    if (larger == NULL)
        return old != NULL;
    larger->smaller = old;
    larger->shift = 64 - bits;
    begin(lookup);
    for (size_t i = 0; old != NULL && i < chain_count(old); i++) {
        struct lookup_node *node = copi_lookup_follow(&old->chains[i]);
        while (node != NULL) {
            struct lookup_node *next = copi_lookup_follow(&node->next);
            push(larger, node);
            node = next;
        }
    }
    atomic_store_explicit(&lookup->index, larger, memory_order_release);
    end(lookup);
    return true;
}

static struct lookup_node **free_of(struct lookup *lookup, size_t words)
{
    COP_DEBUG(words > 0 && words <= COPI_LOOKUP_WORDS_MAX);
    return &lookup->free[words - 1];
}

struct lookup_node *copi_lookup_insert(struct lookup *lookup, const struct lookup_text *text,
                                       uint64_t value, void *owner)
{
    size_t whole = text->whole;
    struct lookup_node **free = free_of(lookup, whole + 1), *node = *free;
    if (!make_room(lookup))
        return NULL;
    if (node == NULL) {
        node = calloc(1, sizeof *node + (whole + 1) * sizeof node->words[0]);
        if (node == NULL)
            return NULL;
    } else {
        *free = copi_lookup_follow(&node->next);
    }
    begin(lookup);
    node->owner = owner;
    write(&node->hash, text->hash);
    write(&node->value, value);
    for (size_t i = 0; i < whole; i++) write(&node->words[i], copi_lookup_word(text->text + 8 * i));
    write(&node->words[whole], text->last);
    push(index_of(lookup), node);
    end(lookup);
    lookup->count++;
    return node;
}

void copi_lookup_remove(struct lookup *lookup, struct lookup_node *node)
{
    _Atomic(struct lookup_node *) *link = chain_of(index_of(lookup), node);
    while (copi_lookup_follow(link) != node) {
        COP_ASSERT(copi_lookup_follow(link) != NULL);         /* the node must be in */
        link = &copi_lookup_follow(link)->next;
    }
    struct lookup_node **free = free_of(lookup, strlen(copi_lookup_text_of(node)) / 8 + 1);
    begin(lookup);
    lead(link, copi_lookup_follow(&node->next));
    lead(&node->next, *free);
    end(lookup);
    *free = node;
    lookup->count--;
}

void copi_lookup_deinit(struct lookup *lookup)
{
    COP_ASSERT(lookup->count == 0);
    for (size_t i = 0; i < COPI_LOOKUP_WORDS_MAX; i++)
        for (struct lookup_node *node = lookup->free[i], *next; node != NULL; node = next) {
            next = copi_lookup_follow(&node->next);
            free(node);
        }
    for (struct lookup_index *index = index_of(lookup), *smaller; index != NULL; index = smaller) {
        smaller = index->smaller;
        free(index);
    }
    *lookup = (struct lookup){ 0 };
}

/* ---- all of them ----------------------------------------------------------------------- */

static struct lookup_node *first_from(const struct lookup_index *index, size_t chain)
{
    while (chain < chain_count(index) && copi_lookup_follow(&index->chains[chain]) == NULL) chain++;
    return chain < chain_count(index) ? copi_lookup_follow(&index->chains[chain]) : NULL;
}

struct lookup_node *copi_lookup_first(const struct lookup *lookup)
{
    const struct lookup_index *index = index_of(lookup);
    return index == NULL ? NULL : first_from(index, 0);
}

struct lookup_node *copi_lookup_next(const struct lookup *lookup, const struct lookup_node *node)
{
    const struct lookup_index *index = index_of(lookup);
    struct lookup_node *next = copi_lookup_follow(&node->next);
    size_t chain = copi_lookup_load(&node->hash) >> index->shift;
    return next != NULL ? next : first_from(index, chain + 1);
}
