/* shared_lock.c - see shared_lock.h. */
#include "shared_lock.h"

#include <sched.h>

/* So many looks at a word before the waiting is left to the system. */
enum { LOOKS = 100 };

static struct shared_reader readers[SHARED_LOCK_THREADS];
static _Atomic size_t used;            /* of them were ever taken */

static pthread_key_t at_thread_end;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool has_key;

enum { UNKNOWN, HAS_NONE, HAS_WORD };

/* What a thread knows of itself.  Read by copi_shared_read alone, which nothing is inlined into
 * whose process may change threads, and once a call. */
struct self {
    struct shared_reader *reader;
    int state;
};
static _Thread_local struct self self __attribute__((tls_model("initial-exec")));

/* ---- a word for each thread ------------------------------------------------------------ */

static void give_back(void *reader)
{
    atomic_store_explicit(&((struct shared_reader *)reader)->taken, false, memory_order_release);
}

static void make_key(void)
{
    has_key = pthread_key_create(&at_thread_end, give_back) == 0;
}

/* Before a word is used `used` covers it, and a writer that does not see that is seen. */
static struct shared_reader *take_word(void)
{
    for (size_t i = 0; i < SHARED_LOCK_THREADS; i++) {
        if (atomic_load_explicit(&readers[i].taken, memory_order_relaxed) ||
            atomic_exchange_explicit(&readers[i].taken, true, memory_order_acquire))
            continue;
        size_t seen = atomic_load(&used);
        while (seen <= i && !atomic_compare_exchange_weak(&used, &seen, i + 1)) { }
        return &readers[i];
    }
    return NULL;
}

static __attribute__((noinline)) void find_word(struct self *of)
{
    of->state = HAS_NONE;
    pthread_once(&once, make_key);
    struct shared_reader *reader = has_key ? take_word() : NULL;
    if (reader == NULL) return;
    if (pthread_setspecific(at_thread_end, reader) != 0) {
        give_back(reader);
        return;
    }
    of->reader = reader;
    of->state = HAS_WORD;
}

/* ---- the lock -------------------------------------------------------------------------- */

/* Writers first: else readers that never pause would keep them out. */
void copi_shared_init(struct shared_lock *lock)
{
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&lock->lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    atomic_init(&lock->biased, false);
    atomic_init(&lock->calm, 0);
}

static __attribute__((noinline)) void read_slowly(struct shared_lock *lock)
{
    pthread_rwlock_rdlock(&lock->lock);
    if (atomic_fetch_add_explicit(&lock->calm, 1, memory_order_relaxed) + 1 >= SHARED_LOCK_CALM)
        atomic_store_explicit(&lock->biased, true, memory_order_release);
}

__attribute__((noinline)) struct shared_reader *copi_shared_read(struct shared_lock *lock)
{
    struct self *of = &self;
    if (of->state == UNKNOWN) find_word(of);
    struct shared_reader *reader = of->reader;
    if (reader != NULL && atomic_load_explicit(&lock->biased, memory_order_relaxed) &&
        atomic_load_explicit(&reader->reads, memory_order_relaxed) == NULL) {
        atomic_exchange(&reader->reads, lock);
        if (atomic_load(&lock->biased)) return reader;
        atomic_store_explicit(&reader->reads, NULL, memory_order_release);
    }
    read_slowly(lock);
    return NULL;
}

void copi_shared_take_bias(struct shared_lock *lock)
{
    atomic_exchange(&lock->biased, false);
    size_t count = atomic_load(&used);
    for (size_t i = 0; i < count; i++)
        for (int looks = 1; atomic_load(&readers[i].reads) == lock; looks++)
            if (looks % LOOKS == 0) sched_yield();
}
