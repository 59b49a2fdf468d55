/* refusals.c - see refusals.h. */
#include "refusals.h"

#include <dirent.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <check.h>

#include "platform/sanitizer.h"

#ifdef COPI_ASAN
#include <sanitizer/lsan_interface.h>
#endif

#ifdef COPI_FIBERS                       /* slow, and its leak detector wants no second round */
enum { ROUNDS = 1 };
#else
enum { ROUNDS = 3 };
#endif
enum { TRIALS = 5, SECONDS = 60, FIRST_WORDS = 8000 };

/* ---- refusing -------------------------------------------------------------------------- */

static struct {
    enum scarce of;
    uint64_t first, every;
    _Atomic bool counts;
    _Atomic uint64_t asked, refused;
} plan;

static bool refuses(enum scarce what, bool needed)
{
    (void)needed;
    if (what != plan.of || !atomic_load(&plan.counts))
        return false;
    uint64_t n = atomic_fetch_add(&plan.asked, 1) + 1;
    bool again = n > plan.first && plan.every > 0 && (n - plan.first) % plan.every == 0;
    if (n != plan.first && !again)
        return false;
    atomic_fetch_add(&plan.refused, 1);
    return true;
}

void refusals_begin(void)
{
    atomic_store(&plan.counts, true);
}

void refusals_end(void)
{
    atomic_store(&plan.counts, false);
}

static void tell(void (*story)(void), uint64_t first, uint64_t every)
{
    plan.first = first;
    plan.every = every;
    atomic_store(&plan.asked, 0);
    atomic_store(&plan.refused, 0);
    atomic_store(&plan.counts, false);
    atomic_store(&copi_scarcity, refuses);
    story();
    atomic_store(&copi_scarcity, NULL);
}

/* glibc counts a freed block that it keeps for the thread as one in use. */
void refusals_init(char *arguments[])
{
    if (getenv("GLIBC_TUNABLES") != NULL)
        return;
    setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 1);
    execv("/proc/self/exe", arguments);
    abort();
}

/* ---- what is left ---------------------------------------------------------------------- */

struct census {
    size_t descriptors, threads, mappings, bytes;
};

static size_t entries(const char *directory)
{
    size_t count = 0;
    DIR *open = opendir(directory);
    ck_assert_ptr_nonnull(open);
    while (readdir(open) != NULL) count++;
    closedir(open);
    return count;
}

static size_t lines(const char *path)
{
    size_t count = 0;
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    for (int c; (c = fgetc(file)) != EOF;) count += c == '\n';
    fclose(file);
    return count;
}

static struct census take_census(void)
{
    struct census census = { entries("/proc/self/fd"), entries("/proc/self/task"), 0, 0 };
#ifndef COPI_FIBERS                      /* the sanitizers map and allocate on their own */
    census.mappings = lines("/proc/self/maps");
    census.bytes = mallinfo2().uordblks;
#else
    (void)lines;
#endif
    return census;
}

static bool has_grown(const struct census *before, const struct census *after)
{
    return after->descriptors > before->descriptors || after->threads > before->threads ||
           after->bytes > before->bytes || after->mappings > before->mappings;
}

/* ---- one n ----------------------------------------------------------------------------- */

static void tell_some(void (*story)(void), uint64_t n, uint64_t every, _Atomic uint64_t *refused)
{
    for (int round = 0; round < ROUNDS; round++) {
        tell(story, n, every);
        atomic_fetch_add(refused, atomic_load(&plan.refused));
    }
}

/* What the first rounds leave behind for good (registries, the C library's caches) is no leak, nor
 * is what threads happen to hold; what is more after each of some trials is. */
static void tell_again(void (*story)(void), uint64_t n, uint64_t every, _Atomic uint64_t *refused)
{
    struct census before, after;
    int trials = 0;
    tell_some(story, n, every, refused);
    do {
        before = take_census();
        tell_some(story, n, every, refused);
        after = take_census();
    } while (has_grown(&before, &after) && ++trials < TRIALS);
    ck_assert_msg(trials < TRIALS, "refusal %llu, every %llu: %zu %zu %zu %zu -> %zu %zu %zu %zu "
                  "descriptors, threads, mappings, bytes", (unsigned long long)n,
                  (unsigned long long)every, before.descriptors, before.threads, before.mappings,
                  before.bytes, after.descriptors, after.threads, after.mappings, after.bytes);
    tell(story, UINT64_MAX, 0);
#ifdef COPI_ASAN
    ck_assert_int_eq(__lsan_do_recoverable_leak_check(), 0);
#endif
}

/* Whether the child, which has ended, may have ended like that. */
static bool is_good_end(int status, const char *words, bool may_end_node)
{
    if (WIFEXITED(status))
        return WEXITSTATUS(status) == 0;
    return may_end_node && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT &&
           strstr(words, "coppice: no memory for ") != NULL;
}

static void read_words(int from, char *words, size_t size)
{
    size_t length = 0;
    ssize_t got;
    while (length + 1 < size && (got = read(from, words + length, size - 1 - length)) > 0)
        length += (size_t)got;
    words[length] = '\0';
    char rest[256];
    while (read(from, rest, sizeof rest) > 0) continue;
    close(from);
}

/* Returns whether anything was refused. */
static bool walk_one(void (*story)(void), const struct refusals *refusals, uint64_t n,
                     _Atomic uint64_t *refused)
{
    int ends[2], status = 0;
    char words[FIRST_WORDS];
    ck_assert_int_eq(pipe(ends), 0);
    atomic_store(refused, 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        signal(SIGALRM, SIG_DFL);
        alarm(SECONDS);
        tell_again(story, n, refusals->every, refused);
        _exit(0);
    }
    close(ends[1]);
    read_words(ends[0], words, sizeof words);
    while (waitpid(child, &status, 0) < 0) continue;
    bool good = is_good_end(status, words, refusals->may_end_node);
    if (!good)
        fputs(words, stderr);
    ck_assert_msg(good, "refusal %llu, every %llu: status %x", (unsigned long long)n,
                  (unsigned long long)refusals->every, (unsigned)status);
    return atomic_load(refused) > 0 || WIFSIGNALED(status);
}

uint64_t refusals_walk(void (*story)(void), const struct refusals *refusals)
{
    _Atomic uint64_t *refused = mmap(NULL, sizeof *refused, PROT_READ | PROT_WRITE,
                                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(refused != MAP_FAILED);
    plan.of = refusals->of;
    uint64_t n = 1;
    uint64_t most = refusals->most == 0 ? UINT64_MAX : refusals->most;
    while (n <= most && walk_one(story, refusals, n, refused)) n++;
    munmap(refused, sizeof *refused);
    ck_assert_uint_gt(n, 1);             /* else nothing was asked for */
    return n - 1;
}
