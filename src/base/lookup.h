/* lookup.h - a table from texts to numbers that is read without a lock and without writing.
 *
 * Readers leave no trace, so any number of them on any number of processors costs none of them
 * anything, and nobody waits for them.  The price is paid by those who write, one at a time, under
 * a lock of the owner's: until the end a node's memory is never given back, only used again for
 * another text of as many words, and an outgrown index is kept (all of them together take twice
 * what the last one does).
 *
 * Invariants: `version` is odd while somebody writes, and each writing gives it two new values.  A
 * reader reads it, looks, and reads it again: the same even number twice means that nobody wrote
 * meanwhile, and that what was found, or not found, was so all the time.  Anything else means that
 * what was read is worth nothing.  It was readable nonetheless: every word is atomic, and no
 * pointer that was ever in the table leads to memory that is anything else than it was.  A node's
 * last word always has a zero byte, whatever mixture of texts is read, so nobody reads beyond it:
 * of a searched text only the last word has one.
 *
 * Orders: who writes stores each word with release, behind the odd version; who reads loads it with
 * acquire, in front of the second look at the version.  So one who has read any word of a writing
 * sees the version of that writing, or a later one, and throws it away.  One who sees the even
 * version at its end (release, acquire) sees all of it.
 *
 * Threads: copi_lookup_try any; copi_lookup_deinit when nobody else is left; the others with the
 * lock of the owner. */
#ifndef COPI_LOOKUP_H
#define COPI_LOOKUP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { COPI_LOOKUP_TEXT_MAX = 255 };         /* bytes, without the final NUL */
enum { COPI_LOOKUP_WORDS_MAX = COPI_LOOKUP_TEXT_MAX / 8 + 1 };

struct lookup_node {
    void *owner;                             /* the owner's, with the lock */
    _Atomic(struct lookup_node *) next;      /* in its chain, or among the free */
    _Atomic uint64_t hash;
    _Atomic uint64_t value;
    _Atomic uint64_t words[];                /* the text, zeroes behind it */
};

/* Never changed but for its chains. */
struct lookup_index {
    struct lookup_index *smaller;            /* that it took the place of, or NULL */
    unsigned shift;                          /* of a hash, for the number of its chain */
    _Atomic(struct lookup_node *) chains[];
};

/* All zeroes is an empty one. */
struct lookup {
    _Alignas(64) _Atomic uint64_t version;
    _Atomic(struct lookup_index *) index;    /* NULL: nothing was ever in it */
    size_t count;                            /* with the lock, like the rest */
    struct lookup_node *free[COPI_LOOKUP_WORDS_MAX];    /* by their words, less one */
};

/* ---- texts as words -------------------------------------------------------------------- */

/* A text's bytes become words as they lie in memory, the last one made of what is left. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "copi_lookup_last shifts");

/* A text to be looked for.  No longer than the longest. */
struct lookup_text {
    const char *text;
    size_t whole;                            /* so many words before the last */
    uint64_t last;
    uint64_t hash;
};

static inline uint64_t copi_lookup_word(const char *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof word);
    return word;
}

/* The bytes behind the last whole word, and zeroes: at least the final one.  No byte outside of the
 * text is read. */
static inline uint64_t copi_lookup_last(const char *text, size_t length)
{
    size_t rest = length % 8;
    if (rest == 0)
        return 0;
    if (length > 8)
        return copi_lookup_word(text + length - 8) >> (64 - 8 * rest);
    uint64_t word = 0;
    for (size_t i = rest; i > 0; i--) word = word << 8 | (unsigned char)text[i - 1];
    return word;
}

static inline uint64_t copi_lookup_mixed(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
    return hash ^ (hash >> 32);
}

static inline struct lookup_text copi_lookup_text(const char *text, size_t length)
{
    uint64_t last = copi_lookup_last(text, length), hash = UINT64_C(0x9e3779b97f4a7c15);
    size_t whole = length / 8;
    for (size_t i = 0; i < whole; i++)
        hash = copi_lookup_mixed(hash, copi_lookup_word(text + 8 * i));
    hash = copi_lookup_mixed(hash, last) * UINT64_C(0xc4ceb9fe1a85ec53);
    return (struct lookup_text){ text, whole, last, hash };
}

/* ---- reading --------------------------------------------------------------------------- */

/* Acquire: see Orders. */
static inline uint64_t copi_lookup_load(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_acquire);
}

static inline struct lookup_node *copi_lookup_follow(const _Atomic(struct lookup_node *) *link)
{
    return atomic_load_explicit(link, memory_order_acquire);
}

static inline bool copi_lookup_fits(const struct lookup_node *node, const struct lookup_text *text)
{
    if (copi_lookup_load(&node->hash) != text->hash)
        return false;
    for (size_t i = 0; i < text->whole; i++)
        if (copi_lookup_load(&node->words[i]) != copi_lookup_word(text->text + 8 * i))
            return false;
    return copi_lookup_load(&node->words[text->whole]) == text->last;
}

/* The chain's first node. */
static inline struct lookup_node *copi_lookup_begin(const struct lookup *lookup, uint64_t hash)
{
    const struct lookup_index *index =
        atomic_load_explicit(&lookup->index, memory_order_acquire);
    return index == NULL ? NULL : copi_lookup_follow(&index->chains[hash >> index->shift]);
}

/* Whether nobody wrote meanwhile: then *ret_value is the text's value, or 0 if it is not in. */
static inline bool copi_lookup_try(const struct lookup *lookup, const struct lookup_text *text,
                                   uint64_t *ret_value)
{
    uint64_t value = 0, version = copi_lookup_load(&lookup->version);
    const struct lookup_node *node = copi_lookup_begin(lookup, text->hash);
    while (node != NULL) {
        if (copi_lookup_fits(node, text)) {
            value = copi_lookup_load(&node->value);
            break;
        }
        /* The way may lead round in circles, but not while nobody writes. */
        node = copi_lookup_follow(&node->next);
        if (atomic_load_explicit(&lookup->version, memory_order_relaxed) != version)
            return false;
    }
    *ret_value = value;
    return version % 2 == 0 &&
           atomic_load_explicit(&lookup->version, memory_order_relaxed) == version;
}

/* ---- with the lock --------------------------------------------------------------------- */

/* The text's node, or NULL. */
struct lookup_node *copi_lookup_find(const struct lookup *lookup, const struct lookup_text *text);

/* Adds a text that is not in, with a value that is not 0; NULL without memory. */
struct lookup_node *copi_lookup_insert(struct lookup *lookup, const struct lookup_text *text,
                                       uint64_t value, void *owner);
void copi_lookup_remove(struct lookup *lookup, struct lookup_node *node);

/* Gives all memory back; nothing is in it. */
void copi_lookup_deinit(struct lookup *lookup);

/* All nodes, in no order: the first, and the one after node; or NULL. */
struct lookup_node *copi_lookup_first(const struct lookup *lookup);
struct lookup_node *copi_lookup_next(const struct lookup *lookup, const struct lookup_node *node);

/* A node's text, while it is in. */
static inline const char *copi_lookup_text_of(const struct lookup_node *node)
{
    return (const char *)node->words;
}

#endif
