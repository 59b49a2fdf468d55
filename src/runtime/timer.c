/* timer.c - the heap and the wheel of deadlines: arming, disarming, firing. */
#include "timer.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "../base/assert.h"
#include "../base/hostile.h"
#include "mailbox.h"
#include "message.h"
#include "node.h"
#include "relation.h"
#include "wait.h"

/* ---- the heap: 4-ary, from 1, the earliest deadline first, then the earliest armed ----- */

enum { ARITY = 4, HEAP_FIRST = COPI_LIMIT(64, 2) /* entries */ };

static bool earlier(const struct timer_entry *a, const struct timer_entry *b)
{
    return a->deadline < b->deadline ||
           (a->deadline == b->deadline && a->sequence < b->sequence);
}

static void put(struct timer_heap *heap, uint32_t position, struct timer_entry entry)
{
    heap->entries[position] = entry;
    entry.timer->position = position;
}

static inline void sift_up(struct timer_heap *heap, uint32_t position, struct timer_entry entry)
{
    while (position > 1) {
        uint32_t parent = (position - 2) / ARITY + 1;
        if (!earlier(&entry, &heap->entries[parent]))
            break;
        put(heap, position, heap->entries[parent]);
        position = parent;
    }
    put(heap, position, entry);
}

static void sift_down(struct timer_heap *heap, uint32_t position, struct timer_entry entry)
{
    for (;;) {
        uint64_t child = (uint64_t)(position - 1) * ARITY + 2, best = 0;
        for (uint64_t i = child; i < child + ARITY && i <= heap->count; i++)
            if (best == 0 || earlier(&heap->entries[i], &heap->entries[best]))
                best = i;
        if (best == 0 || !earlier(&heap->entries[best], &entry))
            break;
        put(heap, position, heap->entries[best]);
        position = (uint32_t)best;
    }
    put(heap, position, entry);
}

__attribute__((noinline)) static bool heap_grow(struct timer_heap *heap)
{
    uint32_t capacity = heap->capacity == 0 ? HEAP_FIRST : heap->capacity * 2;
    struct timer_entry *entries = NULL;
    if (capacity < COPI_FAR)
        entries = realloc(heap->entries, capacity * sizeof *entries);
    if (entries == NULL)
        return false;
    heap->entries = entries;
    heap->capacity = capacity;
    return true;
}

/* Room for one more, and for all that is in the wheel. */
static inline bool heap_reserve(struct timer_heap *heap)
{
    return heap->count + heap->wheel.count + 1 < heap->capacity || heap_grow(heap);
}

/* There is room. */
static inline void heap_add(struct timer_heap *heap, struct timer *timer, int64_t deadline,
                     uint64_t sequence)
{
    heap->count++;
    sift_up(heap, heap->count, (struct timer_entry){ deadline, sequence, timer });
}

static void heap_remove(struct timer_heap *heap, uint32_t position)
{
    COP_ASSERT(position >= 1 && position <= heap->count);
    struct timer *timer = heap->entries[position].timer;
    struct timer_entry last = heap->entries[heap->count--];
    COP_DEBUG(timer->position == position);
    if (last.timer != timer) {
        uint32_t parent = position == 1 ? 0 : (position - 2) / ARITY + 1;
        if (parent != 0 && earlier(&last, &heap->entries[parent]))
            sift_up(heap, position, last);
        else
            sift_down(heap, position, last);
    }
    timer->position = 0;
    if (timer->kind == TIMER_WAIT)
        atomic_store(&timer->entry, COPI_NEVER);
}

/* ---- from the wheel to the heap -------------------------------------------------------- */

enum { POUR_AHEAD = 256 };            /* timers at a look that need not be in the heap yet */

static struct relation_timer *record_of(struct wheel_node *node)
{
    return (struct relation_timer *)((char *)node - offsetof(struct relation_timer, node));
}

/* Pours `most` timers of the earliest bucket: into the heap, or into a finer one. */
static void pour(struct timer_heap *heap, uint32_t most)
{
    struct wheel *wheel = &heap->wheel;
    struct wheel_node *node;
    uint32_t bucket = copi_wheel_turn(wheel);
    while (most-- > 0 && (node = copi_wheel_pop(wheel, bucket)) != NULL) {
        struct timer *timer = &record_of(node)->timer;
        int64_t deadline = copi_timer_wanted(timer);
        if (deadline - wheel->time < COPI_WHEEL_TICK)
            heap_add(heap, timer, deadline, timer->sequence);
        else
            timer->position = COPI_FAR + copi_wheel_add(wheel, node, deadline);
    }
}

static int64_t heap_first(const struct timer_heap *heap)
{
    return heap->count == 0 ? COPI_NEVER : heap->entries[1].deadline;
}

/* What is due at `now` is in the heap then.  `next` is looked up only if it might be. */
static void pour_until(struct timer_heap *heap, int64_t now)
{
    while (heap->wheel.next <= now && copi_wheel_next(&heap->wheel) <= now)
        pour(heap, UINT32_MAX);
}

/* Which depends on the wheel too. */
__attribute__((noinline)) static int64_t first_of_both(struct timer_heap *heap)
{
    struct wheel *wheel = &heap->wheel;
    if (!copi_node.options.deterministic) {
        int64_t first = heap_first(heap), look = wheel->next - COPI_NEAR_NS;
        return look < first ? look : first;
    }
    while (wheel->next <= heap_first(heap) && copi_wheel_next(wheel) <= heap_first(heap) &&
           wheel->count > 0)
        pour(heap, UINT32_MAX);
    return heap_first(heap);
}

/* Says when to look again. */
static inline void changed(struct timer_heap *heap)
{
    int64_t first = heap->wheel.count == 0 ? heap_first(heap) : first_of_both(heap);
    atomic_store_explicit(&heap->first, first, memory_order_relaxed);
}

void copi_timers_init(struct timer_heap *heap)
{
    memset(heap, 0, sizeof *heap);
    copi_biased_init(&heap->lock);
    atomic_store(&heap->first, COPI_NEVER);
    copi_wheel_init(&heap->wheel);
}

void copi_timers_deinit(struct timer_heap *heap)
{
    COP_ASSERT(heap->count == 0 && heap->wheel.count == 0);
    free(heap->entries);
    copi_biased_deinit(&heap->lock);
}

static inline void lock(struct timer_heap *heap)
{
    if (heap == &copi_scheduler->timers)
        copi_biased_owner_lock(&heap->lock);
    else
        copi_biased_lock(&heap->lock);
}

static inline void unlock(struct timer_heap *heap)
{
    if (heap == &copi_scheduler->timers)
        copi_biased_owner_unlock(&heap->lock);
    else
        copi_biased_unlock(&heap->lock);
}

/* ---- arming, disarming, firing --------------------------------------------------------- */

/* With its heap's lock.  Whether it was in. */
static inline bool take_out(struct timer_heap *heap, struct timer *timer)
{
    uint32_t position = timer->position;
    if (position == 0)
        return false;
    if ((position & COPI_FAR) == 0) {
        heap_remove(heap, position);
        changed(heap);
    } else {
        copi_wheel_remove(&heap->wheel, &copi_relation_of_timer(timer)->node, position - COPI_FAR);
        timer->position = 0;          /* it was later than `first`, which stays */
    }
    return true;
}

static void wait_add(struct timer_heap *heap, struct timer *timer, int64_t deadline)
{
    heap_add(heap, timer, deadline, heap->sequence++);
    atomic_exchange(&timer->entry, deadline);
    changed(heap);
}

static bool make_entry(struct timer *timer, enum timer_kind kind, int64_t deadline)
{
    struct timer_heap *heap = &copi_scheduler->timers;
    copi_timer_take_out(timer);
    copi_enter(copi_scheduler);
    lock(heap);
    bool room = heap_reserve(heap);
    if (room) {
        timer->scheduler = (uint16_t)copi_scheduler->index;
        timer->kind = (uint16_t)kind;
        atomic_store(&timer->wanted, deadline);
        wait_add(heap, timer, deadline);
    }
    unlock(heap);
    copi_leave(copi_scheduler);
    return room;
}

bool copi_timer_arm(struct timer *timer, enum timer_kind kind, int64_t deadline)
{
    COP_DEBUG(kind == TIMER_WAIT);
    if (!copi_node.options.deterministic) {
        atomic_exchange(&timer->wanted, deadline);
        if (atomic_load(&timer->entry) <= deadline)
            return true;
    }
    return make_entry(timer, kind, deadline);
}

void copi_timer_disarm_now(struct timer *timer)
{
    if (copi_node.options.deterministic)
        copi_timer_take_out(timer);
    else
        atomic_store_explicit(&timer->wanted, COPI_NEVER, memory_order_relaxed);
}

/* Into the heap if its bucket would begin soon, or if in a deterministic run it is the first. */
static void add_send(struct timer_heap *heap, struct relation_timer *record, int64_t now,
                     int64_t deadline)
{
    struct timer *timer = &record->timer;
    struct wheel *wheel = &heap->wheel;
    copi_wheel_advance(wheel, now);
    if (deadline - now < COPI_NEAR_NS + COPI_WHEEL_TICK || deadline < wheel->time ||
        (copi_node.options.deterministic && deadline < heap_first(heap)))
        heap_add(heap, timer, deadline, timer->sequence);
    else
        timer->position = COPI_FAR + copi_wheel_add(wheel, &record->node, deadline);
    int64_t look = (timer->position & COPI_FAR) != 0 ? wheel->next - COPI_NEAR_NS : deadline;
    if (look < atomic_load_explicit(&heap->first, memory_order_relaxed) ||
        copi_node.options.deterministic)
        changed(heap);
}

bool copi_timer_arm_send(struct relation_timer *record, int64_t now, int64_t deadline)
{
    struct scheduler *scheduler = copi_scheduler;
    struct timer_heap *heap = &scheduler->timers;
    struct timer *timer = &record->timer;
    copi_biased_owner_lock(&heap->lock);
    bool room = heap_reserve(heap);
    if (room) {
        timer->scheduler = (uint16_t)scheduler->index;
        timer->kind = TIMER_SEND;
        timer->sequence = heap->sequence++;
        atomic_store_explicit(&timer->wanted, deadline, memory_order_relaxed);
        add_send(heap, record, now, deadline);
    }
    copi_biased_owner_unlock(&heap->lock);
    return room;
}

/* With the lock of the heap that it is or was in: whether it was. */
static inline bool pull(struct timer_heap *heap, struct timer *timer)
{
    bool was_in = take_out(heap, timer);
    atomic_store_explicit(&timer->wanted, COPI_NEVER, memory_order_relaxed);
    timer->scheduler = COPI_NO_HEAP;
    return was_in;
}

__attribute__((noinline)) static bool pull_from_another(struct timer *timer)
{
    if (timer->scheduler == COPI_NO_HEAP)
        return false;
    struct timer_heap *heap = &copi_node.scheduler[timer->scheduler].timers;
    copi_biased_lock(&heap->lock);
    bool was_in = pull(heap, timer);
    copi_biased_unlock(&heap->lock);
    return was_in;
}

/* Always with the lock, if it ever was in a heap: who fires it may be about to put it back. */
bool copi_timer_pull(struct timer *timer)
{
    struct scheduler *scheduler = copi_scheduler;
    if (scheduler == NULL || timer->scheduler != scheduler->index)
        return pull_from_another(timer);
    struct timer_heap *heap = &scheduler->timers;
    copi_biased_owner_lock(&heap->lock);
    bool was_in = pull(heap, timer);
    copi_biased_owner_unlock(&heap->lock);
    return was_in;
}

bool copi_timer_take_out(struct timer *timer)
{
    if (timer->scheduler == COPI_NO_HEAP)
        return false;
    copi_enter(copi_scheduler);
    bool was_in = copi_timer_pull(timer);
    copi_leave(copi_scheduler);
    return was_in;
}

bool copi_timer_is_in(struct timer *timer)
{
    if (timer->scheduler == COPI_NO_HEAP)
        return false;
    struct timer_heap *heap = &copi_node.scheduler[timer->scheduler].timers;
    copi_enter(copi_scheduler);
    lock(heap);
    bool in = timer->position != 0;
    unlock(heap);
    copi_leave(copi_scheduler);
    return in;
}

/* Sends the message of a timer that has just left the heap.  Called with the lock held, given
 * up on return: the record may be freed by its owner from then on. */
static void fire_send(struct timer_heap *heap, struct relation_timer *record)
{
    struct signal *signal = record->signal;
    cop_pid owner = { signal->target };
    uint64_t serial = record->relation.node.key;
    cop_dest to = { record->relation.other, record->relation.serial, NULL, NULL };
    char name[COP_NAME_MAX + 1] = "";
    if (record->relation.named)
        to.name = memcpy(name, record->relation.name, strlen(record->relation.name) + 1);
    record->signal = NULL;
    unlock(heap);

    if (to.name == NULL && to.alias == 0 && cop_pid_equal(to.pid, owner)) {
        signal->flags |= SIGNAL_FROM_TIMER;
        signal->message.ref = serial;
        copi_signal_send(owner, signal);
        return;
    }
    signal->flags = (uint16_t)((signal->flags & ~SIGNAL_GONE) | SIGNAL_EXEMPT);
    cop_send_message(to, &signal->message);
    copi_signal_send(owner, copi_signal_new(SIGNAL_TIMER_DONE, owner, serial, NULL));
}

/* A wait's entry has come to its time: it goes to where it is wanted by now, or out.  Returns
 * whether the wait is over. */
static bool wait_is_over(struct timer_heap *heap, struct timer *timer, int64_t now)
{
    int64_t wanted = atomic_load(&timer->wanted);
    bool over;
    for (;;) {
        over = wanted <= now;
        take_out(heap, timer);
        if (!over && wanted != COPI_NEVER)
            wait_add(heap, timer, wanted);
        int64_t again = atomic_load(&timer->wanted);
        if (again == wanted)
            return over;
        wanted = again;
    }
}

/* Some of the bucket that begins soon. */
static void pour_ahead(struct timer_heap *heap, int64_t now)
{
    int64_t soon = now + COPI_NEAR_NS;
    lock(heap);
    if (heap->wheel.next <= soon && copi_wheel_next(&heap->wheel) <= soon)
        pour(heap, POUR_AHEAD);
    changed(heap);
    unlock(heap);
}

static bool is_due(const struct timer_heap *heap, int64_t now)
{
    return atomic_load_explicit(&heap->first, memory_order_relaxed) <= now;
}

void copi_timers_fire(struct timer_heap *heap, int64_t now)
{
    if (is_due(heap, now))
        pour_ahead(heap, now);
    while (is_due(heap, now)) {
        lock(heap);
        pour_until(heap, now);
        if (heap_first(heap) > now) {
            changed(heap);
            unlock(heap);
            break;
        }
        struct timer *timer = heap->entries[1].timer;
        if (timer->kind == TIMER_SEND) {
            heap_remove(heap, 1);
            changed(heap);
            fire_send(heap, copi_relation_of_timer(timer));
            continue;
        }
        if (wait_is_over(heap, timer, now))
            copi_wake(copi_wait_of_timer(timer)->process);
        unlock(heap);
    }
}

int64_t copi_deadline(int64_t timeout_ms)
{
    int64_t now = timeout_ms > 0 ? copi_near_now(&copi_scheduler->clock) : 0;
    if (timeout_ms < 0 || timeout_ms > (COPI_NEVER - now) / 1000000)
        return COPI_NEVER;
    return timeout_ms == 0 ? COPI_AT_ONCE : now + timeout_ms * 1000000;
}

size_t copi_timer_count(void)
{
    size_t count = 0;
    copi_enter(copi_scheduler);
    for (int i = 0; i < copi_node.all; i++) {
        struct timer_heap *heap = &copi_node.scheduler[i].timers;
        lock(heap);
        count += heap->count + heap->wheel.count;
        unlock(heap);
    }
    copi_leave(copi_scheduler);
    return count;
}
