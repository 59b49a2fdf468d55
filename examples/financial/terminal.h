/* terminal.h - writing to standard output, which may be a terminal.
 *
 * Lines of styled words that wrap at the width of the terminal, and below them a status
 * line that is drawn again and again.  Off a terminal: plain lines, no status, no wrapping. */
#ifndef FINANCIAL_TERMINAL_H
#define FINANCIAL_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

enum style { PLAIN, BOLD, DIM, RED, GREEN, YELLOW };

struct terminal {
    bool live;          /* a terminal that can move its cursor */
    bool colour;
    bool utf8;          /* the locale's characters */
    int error;          /* errno of the first write that failed, or 0 */
    enum style style;   /* of what is written now */
    size_t column;      /* of the line being written; 0: none is */
    bool has_status;    /* a status line is on the screen */
};

void terminal_open(struct terminal *terminal);

/* Columns of the screen; 0: no limit. */
size_t terminal_width(const struct terminal *terminal);

/* Adds text to the current line; each of its characters is one column wide. */
void terminal_put(struct terminal *terminal, enum style style, const char *text);

/* The same, padded with spaces to `width` columns. */
void terminal_put_padded(struct terminal *terminal, enum style style, const char *text,
                         size_t width);

/* Adds words, a space before each that is not the line's first at column `indent`, which is also
 * where a new line begins when the width is reached. */
void terminal_put_words(struct terminal *terminal, enum style style, const char *text,
                        size_t indent);

/* Ends the line; an empty one if nothing was put. */
void terminal_end_line(struct terminal *terminal);

/* Draws the status line: the put calls between begin and end make it.  `terminal_status_end`
 * leaves the cursor on it.  Only if live. */
void terminal_status_begin(struct terminal *terminal);
void terminal_status_end(struct terminal *terminal);

/* Takes the status line away. */
void terminal_status_clear(struct terminal *terminal);

#endif
