/* run_queue.c - see run_queue.h. */
#include "run_queue.h"

#include "../base/assert.h"

enum { LOOK_MAX = 4 * COPI_STEAL_MAX };

void copi_run_queue_init(struct run_queue *queue)
{
    copi_biased_init(&queue->lock);
    queue->head = queue->tail = NULL;
    atomic_init(&queue->length, 0);
    atomic_init(&queue->inbox, NULL);
}

void copi_run_queue_deinit(struct run_queue *queue)
{
    COP_ASSERT(queue->head == NULL && atomic_load(&queue->inbox) == NULL);
    copi_biased_deinit(&queue->lock);
}

void copi_run_queue_post(struct run_queue *queue, struct process *process)
{
    struct process *head = atomic_load_explicit(&queue->inbox, memory_order_relaxed);
    do {
        process->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&queue->inbox, &head, process,
                                                    memory_order_seq_cst, memory_order_relaxed));
}

static void add_to_length(struct run_queue *queue, uint32_t more)
{
    uint32_t length = atomic_load_explicit(&queue->length, memory_order_relaxed);
    atomic_store_explicit(&queue->length, length + more, memory_order_relaxed);
}

/* The length is one too many meanwhile: the owner, about to park, must see one or the other.  Who
 * sees the inbox empty because of the exchange sees that length, or a later one. */
void copi_run_queue_collect(struct run_queue *queue)
{
    if (atomic_load_explicit(&queue->inbox, memory_order_relaxed) == NULL)
        return;
    add_to_length(queue, 1);
    struct process *newest = atomic_exchange_explicit(&queue->inbox, NULL, memory_order_acq_rel);
    struct process *oldest = NULL;
    while (newest != NULL) {
        struct process *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest != NULL) {
        struct process *next = oldest->next;
        copi_run_queue_append(queue, oldest);
        oldest = next;
    }
    add_to_length(queue, -1u);
}

/* Unlinks the process behind `before` (NULL: the first); with the lock. */
static struct process *unlink_after(struct run_queue *queue, struct process *before)
{
    struct process *process = before == NULL ? queue->head : before->next;
    if (before == NULL)
        queue->head = process->next;
    else
        before->next = process->next;
    if (queue->tail == process)
        queue->tail = before;
    uint32_t length = atomic_load_explicit(&queue->length, memory_order_relaxed);
    COP_DEBUG(length > 0);
    atomic_store_explicit(&queue->length, length - 1, memory_order_relaxed);
    return process;
}

/* With the lock; the list is longer than that. */
static struct process *take_at(struct run_queue *queue, uint64_t skip)
{
    struct process *before = NULL;
    for (struct process *at = queue->head; skip > 0; skip--, at = at->next) before = at;
    return unlink_after(queue, before);
}

struct process *copi_run_queue_take_any(struct run_queue *queue, struct random *random)
{
    struct process *process = NULL;
    copi_biased_owner_lock(&queue->lock);
    copi_run_queue_collect(queue);
    uint32_t length = atomic_load_explicit(&queue->length, memory_order_relaxed);
    if (length > 0)
        process = take_at(queue, length == 1 ? 0 : copi_random_below(random, length));
    copi_biased_owner_unlock(&queue->lock);
    return process;
}

struct process *copi_run_queue_take_at(struct run_queue *queue, uint64_t skip)
{
    struct process *process = NULL;
    copi_biased_owner_lock(&queue->lock);
    copi_run_queue_collect(queue);
    if (queue->head != NULL)
        process = take_at(queue, skip);
    copi_biased_owner_unlock(&queue->lock);
    return process;
}

struct process *copi_run_queue_take_for(struct run_queue *queue)
{
    if (copi_run_queue_length(queue) == 0)
        return NULL;
    copi_biased_lock(&queue->lock);
    copi_run_queue_collect(queue);
    struct process *process = queue->head == NULL ? NULL : unlink_after(queue, NULL);
    copi_biased_unlock(&queue->lock);
    return process;
}

/* With the lock: whether several of those that a thief looks at hold no stack. */
static bool several_movable(const struct run_queue *queue)
{
    int movable = 0;
    const struct process *process = queue->head;
    for (int looked = 0; process != NULL && looked < LOOK_MAX; looked++, process = process->next)
        if (process->stack == NULL && ++movable > 1)
            return true;
    return false;
}

uint32_t copi_run_queue_steal(struct run_queue *queue, bool lone,
                              struct process *stolen[COPI_STEAL_MAX])
{
    struct process *before = NULL;
    uint32_t count = 0;
    copi_biased_lock(&queue->lock);
    copi_run_queue_collect(queue);
    uint32_t length = atomic_load_explicit(&queue->length, memory_order_relaxed);
    uint32_t wanted = (length + 1) / 2 < COPI_STEAL_MAX ? (length + 1) / 2 : COPI_STEAL_MAX;
    if (!lone && !several_movable(queue))
        wanted = 0;
    struct process *process = queue->head;
    for (int looked = 0; process != NULL && count < wanted && looked < LOOK_MAX; looked++) {
        struct process *next = process->next;
        if (process->stack == NULL)
            stolen[count++] = unlink_after(queue, before);
        else
            before = process;
        process = next;
    }
    copi_biased_unlock(&queue->lock);
    return count;
}
