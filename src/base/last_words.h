/* last_words.h - where the report of a node that ends goes: to stderr, and to a place that outlives
 * the node, if there is one (guardian.c).
 *
 * The place lies in memory that another operating-system process maps too.  That one reads it after
 * the node's end, and must expect anything in it: who was not contained may have written there. */
#ifndef COPI_LAST_WORDS_H
#define COPI_LAST_WORDS_H

#include <stdatomic.h>
#include <stddef.h>

enum { COPI_LAST_WORDS_MAX = 4000 };

struct last_words {
    _Atomic size_t size;               /* may exceed the text's, when not all had room */
    char text[COPI_LAST_WORDS_MAX];    /* not terminated */
};

/* From now on what is said is kept there too; place is zeroed, and stays. */
void copi_last_words_keep(struct last_words *place);

/* Any thread, in a signal handler too: nothing but write(2) and plain memory. */
void copi_last_words(const char *text, size_t size);

#endif
