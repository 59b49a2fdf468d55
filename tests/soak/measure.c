/* measure.c - times of calls, and what this program has. */
#include "soak.h"

#include <dirent.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/slab.h"
#include "runtime/name.h"
#include "runtime/timer.h"

int64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- times ------------------------------------------------------------------------------- */

/* Sixteen buckets for each power of two: a time is known within 6 %. */
enum { PARTS = 16, BUCKETS = 60 * PARTS };
static atomic_long buckets[BUCKETS];
static _Atomic int64_t longest;

static int bucket_of(int64_t ns)
{
    if (ns < PARTS) return ns < 0 ? 0 : (int)ns;
    int shift = 63 - __builtin_clzll((unsigned long long)ns) - 4;
    return (shift + 1) * PARTS + (int)((ns >> shift) - PARTS);
}

/* The longest time of a bucket. */
static int64_t end_of(int bucket)
{
    if (bucket < PARTS) return bucket;
    int shift = bucket / PARTS - 1;
    return ((int64_t)(PARTS + bucket % PARTS + 1) << shift) - 1;
}

void time_add(int64_t ns)
{
    atomic_fetch_add_explicit(&buckets[bucket_of(ns)], 1, memory_order_relaxed);
    int64_t most = atomic_load(&longest);
    while (ns > most && !atomic_compare_exchange_weak(&longest, &most, ns)) {}
}

int64_t time_of(int per_mille)
{
    long all = 0, seen = 0;
    for (int i = 0; i < BUCKETS; i++) all += atomic_load(&buckets[i]);
    for (int i = 0; i < BUCKETS; i++) {
        seen += atomic_load(&buckets[i]);
        if (seen > 0 && (double)seen * 1000 >= (double)all * per_mille) return end_of(i);
    }
    return 0;
}

int64_t time_longest(void)
{
    return atomic_load(&longest);
}

void time_forget(void)
{
    for (int i = 0; i < BUCKETS; i++) atomic_store(&buckets[i], 0);
    atomic_store(&longest, 0);
}

/* ---- what it has ------------------------------------------------------------------------- */

static long count_entries(const char *directory)
{
    DIR *dir = opendir(directory);
    if (dir == NULL) return -1;
    long count = 0;
    while (readdir(dir) != NULL) count++;
    closedir(dir);
    return count;
}

static long resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL) return -1;
    long pages = -1;
    if (fscanf(file, "%*s %ld", &pages) != 1) pages = -1;
    fclose(file);
    return pages < 0 ? -1 : pages * sysconf(_SC_PAGESIZE);
}

struct usage usage_now(void)
{
    return (struct usage){ .resident = resident_bytes(),
                           .files = count_entries("/proc/self/fd"),
                           .threads = count_entries("/proc/self/task"),
                           .processes = (long)cop_process_count(),
                           .names = (long)copi_name_count(),
                           .timers = (long)copi_timer_count(),
                           .blocks = (long)copi_slab_in_use() };
}
