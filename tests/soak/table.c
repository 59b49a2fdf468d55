/* table.c - what the reader sees. */
#include "soak.h"

#include <stdio.h>
#include <unistd.h>

#include "platform/sanitizer.h"

static const char *const work_names[WORKS] = {
    [CALLS] = "calls",     [CHILDREN] = "dynamic children", [TASKS] = "tasks",
    [TIMERS] = "timers",   [WATCHES] = "names and monitors", [LOCKS] = "mutexes",
    [JOBS] = "blocking functions", [BYTES] = "reads and writes",
};

static long all_restarts(void)
{
    long all = 0;
    for (int i = 0; i < FAULTS; i++) all += atomic_load(&restarts[i]);
    return all;
}

void show_progress(double seconds, double of)
{
    static int shown;
    bool terminal = isatty(STDERR_FILENO);
    int part = (int)(terminal ? seconds : seconds / of * 10);
    if (part <= shown) return;
    shown = part;
    fprintf(stderr, "%.0f of %.0f s, %ld calls, %ld restarts%s", seconds, of,
            atomic_load(&played[CALLS].done), all_restarts(), terminal ? "   \r" : "\n");
}

static void show_us(const char *what, int64_t ns)
{
    printf("%s %.1f us", what, (double)ns / 1000);
}

void show_results(double seconds)
{
    printf("%-22s%14s%14s%14s\n", "", "done", "a second", "found none");
    for (int i = 0; i < WORKS; i++)
        printf("%-22s%14ld%14.0f%14ld\n", work_names[i], atomic_load(&played[i].done),
               (double)atomic_load(&played[i].done) / seconds, atomic_load(&played[i].failed));
    show_us("\ncalls take: p50", time_of(500));
    show_us(", p99", time_of(990));
    show_us(", p99.9", time_of(999));
    show_us(", at most", time_longest());
    printf("\n\n%-22s%14s%14s\n", "a server ends of", "strikes", "restarts");
    for (int i = 0; i < FAULTS; i++) {
        printf("%-22s%14ld", fault_names[i], atomic_load(&strikes[i]));
        if (i == LOOP) printf("%14s\n", "as above");
        else printf("%14ld\n", atomic_load(&restarts[i]));
    }
}

/* The sanitizers keep what is freed, and shadows of all that was used. */
#ifdef COPI_FIBERS
enum { RESIDENT_IS_JUDGED = false };
#else
enum { RESIDENT_IS_JUDGED = true };
#endif

/* Threads: schedulers and their spares, which start when they are first needed; blocking threads;
 * the monitor and the poller.  Timers: an entry for each process whose waits have a limit, until
 * its time comes.  Blocks: what threads keep at hand, two magazines of 64 for each of ten sizes. */
enum { SPARES = 6, OTHER_THREADS = 4 + 3, KEPT = 2 * 64 * 10,
       RESIDENT_SLACK = 12 * 1024 * 1024 };

static bool show_one(const char *what, long before, long after, long bound)
{
    bool grown = bound >= 0 && after > bound;
    printf("%-22s%14ld%14ld", what, before, after);
    if (bound >= 0) printf("%14ld%s\n", bound, grown ? "   GROWN" : "");
    else printf("%14s\n", "not judged");
    return !grown;
}

bool show_usage(const struct usage *before, const struct usage *after)
{
    long threads = 2 * cop_schedulers() + SPARES + OTHER_THREADS;
    long resident = before->resident + before->resident / 10 + RESIDENT_SLACK;
    printf("\n%-22s%14s%14s%14s\n", "what there is", "after warm-up", "at the end", "at most");
    bool well = show_one("processes", before->processes, after->processes, before->processes);
    well = show_one("names", before->names, after->names, before->names) && well;
    well = show_one("descriptors", before->files, after->files, before->files) && well;
    well = show_one("threads", before->threads, after->threads, threads) && well;
    well = show_one("timers", before->timers, after->timers,
                    before->timers + 2 * after->processes) && well;
    well = show_one("blocks of memory", before->blocks, after->blocks,
                    before->blocks + KEPT * threads) && well;
    return show_one("resident KiB", before->resident / 1024, after->resident / 1024,
                    RESIDENT_IS_JUDGED ? resident / 1024 : -1) && well;
}
