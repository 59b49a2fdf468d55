/* growth.h - whether things cost the same each, however many there are. */
#ifndef BENCH_GROWTH_H
#define BENCH_GROWTH_H

#include <coppice/coppice.h>

/* [process] Measures 1,000, 100,000 and 1,000,000 of each kind of thing (a tenth of the larger
 * numbers in a quick run), prints what each one costs, and ends the program with status 1 if that
 * grows with the number. */
void bench_growth(void);

/* What a kind does with n things is timed in steps: a step begins where the one before it ended, or
 * at growth_begin, and ends with growth_step, which says how many operations it had. */
void growth_begin(void);
void growth_step(const char *name, long operations);

/* The kinds.  Each is called in a process of its own. */
void growth_processes(long n);       /* growth_process.c */
void growth_names(long n);
void growth_links(long n);
void growth_monitors(long n);
void growth_messages(long n);
void growth_timers(long n);          /* growth_table.c */
void growth_keys(long n);
void growth_dynamic_children(long n);
void growth_fixed_children(long n);

/* [process] The numbers from 0 to n - 1, shuffled, in the caller's memory. */
long *growth_shuffled(long n);

/* [process] Gives the others turns until no more than that many processes exist. */
void growth_await_count(size_t count);

/* [process] n processes that wait as handlers and answer nothing, linked to the caller or not; in
 * the caller's memory. */
cop_pid *growth_idle_processes(long n, bool linked);

#endif
