/* lines.h - a growing list of lines: a trace, or the part of it that a step adds.
 *
 * A zeroed struct lines is an empty list. */
#ifndef CONFORMANCE_LINES_H
#define CONFORMANCE_LINES_H

#include <coppice/reason.h>

#include <stddef.h>
#include <stdio.h>

struct lines {
    char **line;          /* each in memory of its own */
    size_t count, capacity;
};

/* Appends a line; printf-like. */
__attribute__((format(printf, 2, 3))) void lines_add(struct lines *lines, const char *format, ...);

/* Sorts them by their bytes. */
void lines_sort(struct lines *lines);

/* Appends the lines of `from`, each behind `prefix`, and empties it. */
void lines_move(struct lines *lines, struct lines *from, const char *prefix);

/* The lines as one text with `between` between them, to be freed with free. */
char *lines_join(const struct lines *lines, const char *between);

/* Writes each with a newline behind it; 0, or -1 with errno. */
int lines_write(const struct lines *lines, FILE *file);

void lines_free(struct lines *lines);

/* A reason as text, to be freed with free. */
char *reason_text(const cop_reason *reason);

/* The reason that a file's word means: shutdown:x is {shutdown, x}, any other word an atom.  The
 * caller owns it. */
const cop_reason *reason_from_word(const char *word);

#endif
