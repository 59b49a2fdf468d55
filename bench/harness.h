/* harness.h - measuring a workload: repeat it, take the median, print one line a figure.
 *
 * A case calls bench_run with a function that does the whole workload once and returns its
 * figures.  Each repetition is a process of its own, so that none finds the mailbox, the links or
 * the memory that another has left.  One untimed repetition comes first unless `cold`; then at most
 * max, stopping after min once budget_ms are spent.  Printed: name<TAB>value<TAB>unit<TAB>n; the
 * spread goes to stderr.  With PEERS_QUICK in the environment a tenth of the work is done once. */
#ifndef BENCH_HARNESS_H
#define BENCH_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <coppice/coppice.h>

enum { BENCH_FIGURES = 8 };

struct figure {
    const char *name;      /* "" or what follows the case's name after a dot */
    double value;
    const char *unit;
    long n;                /* operations in one repetition */
};

struct figures {
    size_t count;
    struct figure figure[BENCH_FIGURES];
};

struct bench_options {
    int max, min;          /* repetitions; 0: 7 and 3 */
    int budget_ms;         /* 0: 5000 */
    bool cold;             /* no untimed repetition first */
};
#define BENCH_DEFAULTS (struct bench_options){ .max = 0 }

typedef struct figures bench_workload(void *context);

/* [process] Runs the workload repeatedly and prints its figures. */
void bench_run(const char *name, struct bench_options options, bench_workload *workload,
               void *context);

/* One of several that work at the same time. */
typedef void bench_part(void *context, int number);

/* [process] Runs part(context, 0) ... part(context, count - 1), a process each, released
 * together.  The time from the release until the last one has ended, in ns. */
int64_t bench_parallel(int count, bench_part *part, void *context);

/* [process] Stops a supervisor that the caller has started, as its parent would, and waits until it
 * is down. */
void bench_stop(cop_pid supervisor);

/* [process] Waits until no more than that many processes exist; fails after 20 s. */
void bench_await_count(size_t count);

/* Ends the program with status 1 and no figure when a check fails. */
#define bench_check(condition_) bench_check_named((condition_), #condition_)
void bench_check_named(bool holds, const char *what);

bool bench_quick(void);                        /* PEERS_QUICK is set */
long bench_scale(long n);                      /* a tenth in a quick run */
int64_t bench_now(void);                       /* ns, real time */
double bench_rate(long n, int64_t ns);         /* operations a second */
double bench_rss(void);                        /* resident bytes of this program */
double bench_percentile(double percent, int64_t *values, size_t count);   /* sorts values */

#endif
