/* input.h - reading the day's business from a file.
 *
 * One request a line:  time,id,kind,party,amount  as in  08:00:15,INV-00001,invoice,Larch
 * Books,27.66.  A first line that says just that is a heading.  A line that is wrong is
 * reported, counted and left out; the others are not affected. */
#ifndef FINANCIAL_INPUT_H
#define FINANCIAL_INPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "request.h"

struct input {
    struct request *requests;      /* in the order of the file */
    size_t count;
    size_t bad;                    /* lines left out */
    size_t lines[REQUEST_KINDS];   /* the good ones, by kind ... */
    int64_t cents[REQUEST_KINDS];  /* ... and what they add up to */
};

enum { INPUT_WHY_BYTES = 160 };

/* Reads one line (without its newline; it is changed).  Returns false and says what is
 * wrong with it in `why` if it is no request. */
bool input_parse_line(char *line, size_t length, struct request *ret_request,
                      char why[INPUT_WHY_BYTES]);

/* Reads the whole file, writing "path:line: what is wrong" to `complaints` for each bad line.
 * Returns 0, or an errno when the file cannot be read (EFBIG: more than REQUESTS_MAX lines).
 * input_free gives the memory back. */
int input_read(const char *path, FILE *complaints, struct input *ret_input);
void input_free(struct input *input);

#endif
