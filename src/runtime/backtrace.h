/* backtrace.h - the frames of a crash for people to read: function, file and line.
 *
 * Debug information takes more stack than a process has.  It is read on a stack set aside for that,
 * by one thread at a time, and counts as the runtime's own work: nothing can end the process in the
 * middle of it and leave the others waiting. */
#ifndef COPI_BACKTRACE_H
#define COPI_BACKTRACE_H

#include <coppice/reason.h>

#include "../base/text.h"
#include "../platform/symbol.h"

/* What lies at one frame of the backtrace, from all sources. */
void copi_backtrace_symbol(const cop_crash *crash, unsigned frame, struct symbol *ret_symbol);

/* Appends the frames, each in a line of its own that begins with a newline. */
void copi_backtrace_add(struct text *text, const cop_crash *crash);

/* The same with what the dynamic linker knows alone: takes no time worth mentioning. */
void copi_backtrace_add_quickly(struct text *text, const cop_crash *crash);

#endif
