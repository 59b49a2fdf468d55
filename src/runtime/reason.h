/* reason.h - making crash reasons, and exit reasons in general: reason.c has the struct. */
#ifndef COPI_REASON_H
#define COPI_REASON_H

#include <stdarg.h>

#include <coppice/reason.h>

#include "../base/text.h"

/* A reason from a crash; the assertion's text is copied. */
const cop_reason *copi_reason_crash(const cop_crash *crash);

/* cop_reason_error. */
const cop_reason *copi_reason_error_of(const char *format, va_list arguments);

/* What stands before the reason's text when it is printed: "crash:", "error:" or nothing. */
const char *copi_reason_prefix(const cop_reason *reason);

/* Appends a crash's details: what cop_reason_format_crash prints. */
void copi_reason_add_crash(struct text *text, const cop_crash *crash);

/* Puts a question mark in place of each control character of a text of that length, of which `size`
 * bytes are there. */
void copi_make_printable(char *buffer, size_t size, int length);

/* The static reason for want of memory. */
extern const cop_reason copi_reason_enomem;

#endif
