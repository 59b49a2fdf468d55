/* timer.c - the heap of deadlines, waits, and messages sent after a time. */
#include "timer.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <coppice/timer.h>

#include "../base/assert.h"
#include "../base/hostile.h"
#include "mailbox.h"
#include "message.h"
#include "node.h"
#include "relation.h"

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

static void sift_up(struct timer_heap *heap, uint32_t position, struct timer_entry entry)
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

static bool heap_reserve(struct timer_heap *heap)
{
    if (heap->count + 1 < heap->capacity)
        return true;
    uint32_t capacity = heap->capacity == 0 ? HEAP_FIRST : heap->capacity * 2;
    struct timer_entry *entries = realloc(heap->entries, capacity * sizeof *entries);
    if (entries == NULL)
        return false;
    heap->entries = entries;
    heap->capacity = capacity;
    return true;
}

static void heap_changed(struct timer_heap *heap)
{
    int64_t first = heap->count == 0 ? COPI_NEVER : heap->entries[1].deadline;
    atomic_store_explicit(&heap->first, first, memory_order_relaxed);
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
    atomic_store(&timer->entry, COPI_NEVER);
    heap_changed(heap);
}

/* There is room. */
static void heap_add(struct timer_heap *heap, struct timer *timer, int64_t deadline)
{
    heap->count++;
    sift_up(heap, heap->count, (struct timer_entry){ deadline, heap->sequence++, timer });
    atomic_store(&timer->entry, deadline);
    heap_changed(heap);
}

void copi_timers_init(struct timer_heap *heap)
{
    memset(heap, 0, sizeof *heap);
    copi_biased_init(&heap->lock);
    atomic_store(&heap->first, COPI_NEVER);
}

void copi_timers_deinit(struct timer_heap *heap)
{
    COP_ASSERT(heap->count == 0);
    free(heap->entries);
    copi_biased_deinit(&heap->lock);
}

static void lock(struct timer_heap *heap)
{
    if (heap == &copi_scheduler->timers)
        copi_biased_owner_lock(&heap->lock);
    else
        copi_biased_lock(&heap->lock);
}

static void unlock(struct timer_heap *heap)
{
    if (heap == &copi_scheduler->timers)
        copi_biased_owner_unlock(&heap->lock);
    else
        copi_biased_unlock(&heap->lock);
}

/* ---- arming, disarming, firing --------------------------------------------------------- */

/* With its heap's lock.  Whether it was in. */
static bool take_out(struct timer_heap *heap, struct timer *timer)
{
    bool in = timer->position != 0;
    if (in)
        heap_remove(heap, timer->position);
    return in;
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
        heap_add(heap, timer, deadline);
    }
    unlock(heap);
    copi_leave(copi_scheduler);
    return room;
}

bool copi_timer_arm(struct timer *timer, enum timer_kind kind, int64_t deadline)
{
    if (kind == TIMER_WAIT && !copi_node.options.deterministic) {
        atomic_store(&timer->wanted, deadline);
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

/* Always with the lock, if it ever was in a heap: who fires it may be about to put it back. */
bool copi_timer_take_out(struct timer *timer)
{
    if (timer->scheduler == COPI_NO_HEAP)
        return false;
    struct timer_heap *heap = &copi_node.scheduler[timer->scheduler].timers;
    copi_enter(copi_scheduler);
    lock(heap);
    bool was_in = take_out(heap, timer);
    atomic_store_explicit(&timer->wanted, COPI_NEVER, memory_order_relaxed);
    timer->scheduler = COPI_NO_HEAP;
    unlock(heap);
    copi_leave(copi_scheduler);
    return was_in;
}

static struct relation_timer *relation_of(struct timer *timer)
{
    return (struct relation_timer *)((char *)timer - offsetof(struct relation_timer, timer));
}

/* Sends the message of a timer that has just left the heap.  Called with the lock held, given
 * up on return: the record may be freed by its owner from then on. */
static void fire_send(struct timer_heap *heap, struct relation_timer *record)
{
    struct signal *signal = record->signal;
    cop_pid owner = record->owner;
    uint64_t serial = record->relation.node.key;
    cop_dest to = record->to;
    char name[COP_NAME_MAX + 1] = "";
    if (to.name != NULL)
        to.name = memcpy(name, to.name, strlen(to.name) + 1);
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
            heap_add(heap, timer, wanted);
        int64_t again = atomic_load(&timer->wanted);
        if (again == wanted)
            return over;
        wanted = again;
    }
}

void copi_timers_fire(struct timer_heap *heap, int64_t now)
{
    while (atomic_load_explicit(&heap->first, memory_order_relaxed) <= now) {
        lock(heap);
        if (heap->count == 0 || heap->entries[1].deadline > now) {
            unlock(heap);
            break;
        }
        struct timer *timer = heap->entries[1].timer;
        if (timer->kind == TIMER_SEND) {
            heap_remove(heap, 1);
            fire_send(heap, relation_of(timer));
            continue;
        }
        if (wait_is_over(heap, timer, now))
            copi_wake((struct process *)((char *)timer - offsetof(struct process, timer)));
        unlock(heap);
    }
}

int64_t copi_deadline(int64_t timeout_ms)
{
    int64_t now = timeout_ms > 0 ? copi_now() : 0;
    if (timeout_ms < 0 || timeout_ms > (COPI_NEVER - now) / 1000000)
        return COPI_NEVER;
    return timeout_ms == 0 ? INT64_MIN : now + timeout_ms * 1000000;
}

/* ---- the public side ------------------------------------------------------------------- */

cop_ref cop_send_after_message(cop_dest to, int64_t delay_ms, cop_message *message)
{
    struct process *self = copi_self_checked("cop_send_after");
    if (message == NULL)
        return COP_NO_REF;
    struct signal *signal = copi_message_held(message, "cop_send_after");
    if (to.via != NULL)
        to = cop_to_pid(cop_resolve(to));   /* the via name itself is only lent to this call */
    char *name = to.name == NULL ? NULL : strdup(to.name);
    if (to.name != NULL && (name == NULL || strlen(name) > COP_NAME_MAX)) {
        free(name);
        cop_message_free(message);
        return COP_NO_REF;
    }
    int64_t deadline = delay_ms <= 0 ? copi_now() : copi_deadline(delay_ms);
    if (deadline == COPI_NEVER)
        deadline--;                          /* NEVER is said of timers that are not armed */
    cop_ref ref = { copi_pid(self), copi_serial(self) };
    copi_enter(copi_scheduler);
    struct relation_timer *record = (struct relation_timer *)copi_relation_add(
        self, RELATION_TIMER, ref.serial, sizeof *record);
    record->owner = ref.owner;
    record->to = to;
    record->to.name = record->relation.name = name;
    record->signal = signal;
    copi_message_disown(signal);
    signal->flags |= SIGNAL_GONE;
    copi_timer_init(&record->timer);
    if (!copi_timer_arm(&record->timer, TIMER_SEND, deadline)) {
        copi_relation_remove(self, &record->relation);
        ref = COP_NO_REF;
    }
    copi_leave(copi_scheduler);
    if (ref.serial == 0)
        copi_signal_free(signal);
    return ref;
}

/* The record of a timer of the calling process, or NULL. */
static struct relation_timer *own_timer(cop_ref ref, const char *function)
{
    struct process *self = copi_self_checked(function);
    if (!cop_pid_equal(ref.owner, copi_pid(self)))
        return NULL;
    return (struct relation_timer *)copi_relation_find(self, RELATION_TIMER, ref.serial);
}

static int64_t milliseconds_left(int64_t deadline)
{
    int64_t left = deadline - copi_now();
    return left <= 0 ? 0 : (left - 1) / 1000000 + 1;
}

int64_t cop_cancel_timer(cop_ref timer)
{
    struct relation_timer *record = own_timer(timer, "cop_cancel_timer");
    if (record == NULL)
        return COP_ENOT_FOUND;
    int64_t deadline = copi_timer_wanted(&record->timer);
    bool armed = copi_timer_take_out(&record->timer);
    struct signal *signal = record->signal;     /* NULL if it has fired */
    copi_enter(copi_scheduler);
    copi_relation_remove(copi_self(), &record->relation);
    copi_leave(copi_scheduler);
    if (!armed)
        return COP_ENOT_FOUND;
    copi_message_own(copi_self(), signal);      /* until it is free */
    copi_signal_free(signal);
    return milliseconds_left(deadline);
}

int64_t cop_read_timer(cop_ref timer)
{
    struct relation_timer *record = own_timer(timer, "cop_read_timer");
    if (record == NULL)
        return COP_ENOT_FOUND;
    if (record->timer.scheduler == COPI_NO_HEAP)
        return COP_ENOT_FOUND;
    struct timer_heap *heap = &copi_node.scheduler[record->timer.scheduler].timers;
    copi_enter(copi_scheduler);
    lock(heap);
    bool armed = record->timer.position != 0;
    unlock(heap);
    copi_leave(copi_scheduler);
    return armed ? milliseconds_left(copi_timer_wanted(&record->timer)) : COP_ENOT_FOUND;
}

size_t copi_timer_count(void)
{
    size_t count = 0;
    copi_enter(copi_scheduler);
    for (int i = 0; i < copi_node.all; i++) {
        struct timer_heap *heap = &copi_node.scheduler[i].timers;
        lock(heap);
        count += heap->count;
        unlock(heap);
    }
    copi_leave(copi_scheduler);
    return count;
}

/* Its message becomes one that the process has made and not sent. */
static void stop_timer(struct hash_node *node, void *context)
{
    struct relation *relation = (struct relation *)node;
    if (relation->kind != RELATION_TIMER)
        return;
    struct relation_timer *record = (struct relation_timer *)relation;
    copi_timer_take_out(&record->timer);
    if (record->signal != NULL)
        copi_message_own(context, record->signal);
    record->signal = NULL;
}

void copi_relations_stop_timers(struct process *process)
{
    copi_hash_each(&process->relations, stop_timer, process);
}
