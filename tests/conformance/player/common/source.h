/* source.h - reading a file of lines of words, and saying what is wrong with it.
 *
 * Complaints go to stderr as FILE:LINE: TEXT; the first one is the only one. */
#ifndef CONFORMANCE_SOURCE_H
#define CONFORMANCE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pool.h"

struct source {
    const char *path;
    struct pool *pool;     /* of all that is read */
    char *next;            /* what is not read yet */
    int line;              /* the number of the line that was read last */
    bool bad;              /* a complaint was made */
};

/* Reads the whole file; complains and returns false if it can't, or if it is no text. */
bool source_open(struct source *source, const char *path, struct pool *pool);

/* The next line that is neither blank nor a comment (#), without blanks around it; NULL at the
 * end. */
char *source_line(struct source *source);

/* Complains about the current line; returns false. */
__attribute__((format(printf, 2, 3))) bool source_complain(struct source *source,
                                                           const char *format, ...);

/* The words of a line. */
struct words {
    char **word;
    size_t count;
};
struct words source_words(struct source *source, const char *line);

/* A whole number from 0 to max, in decimal digits. */
bool number_from(const char *word, int64_t max, int64_t *ret_number);

/* The word's place in a list that ends with NULL, or -1. */
int place_in(const char *const *list, const char *word);

#endif
