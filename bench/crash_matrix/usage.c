/* usage.c - descriptors, threads and memory of this program. */
#include "matrix.h"

#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

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
    struct mallinfo2 heap = mallinfo2();
    return (struct usage){ .files = count_entries("/proc/self/fd"),
                           .threads = count_entries("/proc/self/task"),
                           .resident = resident_bytes(),
                           .heap = (long)(heap.uordblks + heap.hblkhd) };
}

struct usage usage_grown(void)
{
    const struct usage *before = &board->before, *after = &board->after;
    bool warm = after->threads >= before->threads && after->threads <= board->warm_threads;
    return (struct usage){ .files = after->files - before->files,
                           .threads = warm ? 0 : after->threads - before->threads,
                           .resident = after->resident - before->resident,
                           .heap = after->heap - before->heap };
}

bool leaves_nothing(long stays)
{
    struct usage grown = usage_grown();
    long slack = board->soak ? SOAK_HEAP_SLACK : HEAP_SLACK;
    long started = board->after.threads - board->before.threads;
    long resident = RESIDENT_SLACK + (started > 0 ? started * THREAD_SLACK : 0);
    return grown.files == 0 && grown.threads == 0 && grown.heap <= slack + stays &&
           grown.resident <= resident + stays;
}
