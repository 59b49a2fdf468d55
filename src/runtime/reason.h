/* reason.h - making crash reasons, and exit reasons in general: reason.c has the struct. */
#ifndef COPI_REASON_H
#define COPI_REASON_H

#include <coppice/reason.h>

/* A reason from a crash; the assertion's text is copied. */
const cop_reason *copi_reason_crash(const cop_crash *crash);

/* Appends the frames of a backtrace, a line each, with the function names that the dynamic linker
 * knows; returns as snprintf does. */
int copi_format_backtrace(const cop_crash *crash, char *buffer, size_t size);

/* Puts a question mark in place of each control character of a text of that length, of which `size`
 * bytes are there. */
void copi_make_printable(char *buffer, size_t size, int length);

/* The static reason for want of memory. */
extern const cop_reason copi_reason_enomem;

#endif
