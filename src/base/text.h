/* text.h - text that grows piece by piece in a buffer that may be too small: all of it is counted,
 * what fits is written, as snprintf does. */
#ifndef COPI_TEXT_H
#define COPI_TEXT_H

#include <stddef.h>

struct text {
    char *buffer;      /* of size bytes; ends with a NUL after the first piece */
    size_t size;       /* may be 0 */
    int length;        /* of the whole text so far */
};

/* An empty text, with its final NUL if there is room for one. */
struct text copi_text(char *buffer, size_t size);

__attribute__((format(printf, 2, 3)))
void copi_text_add(struct text *text, const char *format, ...);

/* Appends a string as JSON has it, with its quotes; NULL: null.  Bytes that are not UTF-8 become
 * U+FFFD each, so that the result is always valid. */
void copi_text_add_json(struct text *text, const char *string);

/* The same without the quotes, for a string of several pieces; not NULL. */
void copi_text_add_escaped(struct text *text, const char *string);

#endif
