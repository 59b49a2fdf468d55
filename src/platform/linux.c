/* linux.c - platform.h for Linux. */
#define _GNU_SOURCE
#include "platform.h"

#include <dirent.h>
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../base/assert.h"
#include "../base/scarcity.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102   /* Linux 6.13 */
#endif

int64_t copi_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t copi_wall_clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int copi_cpu_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int count = CPU_COUNT(&set);
    return count > 0 ? count : 1;
}

bool copi_only_threads(int count)
{
    DIR *threads = copi_is_refused(SCARCE_DESCRIPTOR) ? NULL
                                                      : opendir("/proc/self/task");
    int entries = 0;                             /* ".", "..", an entry for each */
    if (threads == NULL)
        return false;
    while (entries <= count + 2 && readdir(threads) != NULL)
        entries++;
    closedir(threads);
    return entries == count + 2;
}

int copi_thread_create(pthread_t *thread, void *(*function)(void *), void *argument)
{
    if (copi_is_refused(SCARCE_THREAD))
        return EAGAIN;
    return pthread_create(thread, NULL, function, argument);
}

int copi_thread_start(pthread_t *thread, void *(*function)(void *), void *argument)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = copi_thread_create(thread, function, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

int64_t copi_thread_cpu_ns(pthread_t thread)
{
    clockid_t clock;
    struct timespec time;
    if (pthread_getcpuclockid(thread, &clock) != 0 || clock_gettime(clock, &time) != 0)
        return -1;
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

uint64_t copi_entropy(void)
{
    uint64_t bits;
    if (getrandom(&bits, sizeof bits, 0) != (ssize_t)sizeof bits)
        bits = (uint64_t)copi_clock_ns();
    return bits;
}

size_t copi_page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

void *copi_memory_reserve(size_t bytes)
{
    if (copi_is_refused(SCARCE_MEMORY))
        return NULL;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    madvise(memory, bytes, MADV_NOHUGEPAGE);   /* only a hint: kernels without it refuse */
    return memory;
}

void *copi_memory_share(size_t bytes)
{
    if (copi_is_refused(SCARCE_MEMORY))
        return NULL;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void copi_memory_prefer_huge(void *memory, size_t bytes)
{
    const uintptr_t huge = 2 * 1024 * 1024;
    uintptr_t begin = ((uintptr_t)memory + huge - 1) / huge * huge;
    uintptr_t end = ((uintptr_t)memory + bytes) / huge * huge;
    if (begin < end)
        madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

void copi_memory_release(void *memory, size_t bytes)
{
    int failed = munmap(memory, bytes);
    COP_ASSERT(failed == 0);
}

/* Emulators (qemu-user 7.2) take all advice that they do not know for a hint, and say that it has
 * been followed: also one that nobody knows. */
static bool is_advice_followed(void *memory, size_t bytes)
{
    static _Atomic int known;        /* 0: not asked yet */
    enum { YES = 1, NO, NO_ADVICE = 0x7fff };
    int answer = atomic_load_explicit(&known, memory_order_relaxed);
    if (answer == 0) {
        answer = madvise(memory, bytes, NO_ADVICE) == 0 ? NO : YES;
        atomic_store_explicit(&known, answer, memory_order_relaxed);
    }
    return answer == YES;
}

bool copi_memory_guard(void *memory, size_t bytes)
{
    if (copi_is_refused(SCARCE_MEMORY))
        return false;
    if (is_advice_followed(memory, bytes) && madvise(memory, bytes, MADV_GUARD_INSTALL) == 0)
        return true;
    return mprotect(memory, bytes, PROT_NONE) == 0;
}

/* ---- the C library's streams ------------------------------------------------------------
 *
 * glibc's lock of a stream counts its owner's locks; the owner is the thread's pthread_self(). */
void copi_stdio_release(void)
{
#ifdef __GLIBC__
    FILE *const streams[] = { stdin, stdout, stderr };
    for (int i = 0; i < 3; i++) {
        const struct { int lock, count; void *owner; } *held = (const void *)streams[i]->_lock;
        while (held->owner == (void *)pthread_self() && held->count > 0)
            funlockfile(streams[i]);
    }
#endif
}

/* ---- parking ------------------------------------------------------------------------------
 * EMPTY --unpark--> TOKEN --park--> EMPTY      a token waits for the next park
 * EMPTY --park----> PARKED --unpark--> TOKEN   and the sleeper is woken
 * The exchange in unpark releases what the waker wrote before; the owner's exchange
 * acquires it.  The futex compares with PARKED, so a wake between the owner's exchange
 * and its sleep makes the system call return at once. */
enum { EMPTY, TOKEN, PARKED };

bool copi_park(struct parker *parker, int64_t timeout_ns)
{
    uint32_t expected = EMPTY;
    if (!atomic_compare_exchange_strong_explicit(&parker->state, &expected, PARKED,
                                                 memory_order_acquire, memory_order_acquire)) {
        COP_ASSERT(expected == TOKEN);
        atomic_exchange_explicit(&parker->state, EMPTY, memory_order_acquire);
        return true;
    }
    struct timespec limit = { .tv_sec = timeout_ns / 1000000000,
                              .tv_nsec = timeout_ns % 1000000000 };
    do {
        long result = syscall(SYS_futex, &parker->state, FUTEX_WAIT_PRIVATE, PARKED,
                              timeout_ns < 0 ? NULL : &limit, NULL, 0);
        if (result != 0 && errno == ETIMEDOUT)
            break;
    } while (timeout_ns < 0 &&
             atomic_load_explicit(&parker->state, memory_order_acquire) == PARKED);
    return atomic_exchange_explicit(&parker->state, EMPTY, memory_order_acquire) == TOKEN;
}

void copi_unpark(struct parker *parker)
{
    if (atomic_exchange_explicit(&parker->state, TOKEN, memory_order_release) == PARKED)
        syscall(SYS_futex, &parker->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
