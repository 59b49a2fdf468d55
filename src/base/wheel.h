/* wheel.h - buckets for what is due later: hierarchical timing wheels.
 *
 * After Varghese and Lauck, Hashed and Hierarchical Timing Wheels (1987).  A node is embedded in
 * the caller's record.  Putting one in and taking it out touch that record, a bucket's head and a
 * neighbour in the bucket, however many there are; there is nothing to allocate and nothing fails.
 * The price is that a bucket has no order: the caller turns the wheel to the earliest bucket,
 * pops what is in it, and puts it back, into a finer bucket, or does with it what is to be done.
 *
 *   level   a bucket's width   64 of them
 *   0       2^23 ns, 8.4 ms    0.5 s
 *   1       2^29 ns, 0.5 s     34 s
 *   2       2^35 ns, 34 s      37 minutes
 *   ...
 *   6       2^59 ns, 18 years  more than there is
 *
 * A deadline's level is that of the highest bit in which it differs from the wheel's time, and
 * its bucket there is the six bits that say so.
 *
 * Invariants.  The time is a multiple of the finest width and no node is due before it: it moves to
 * the beginning of the earliest bucket at most, and back only while the wheel is empty.  So above a
 * node's level its deadline and the time are equal, before and after the time moves, and a bucket's
 * place and the time tell when it begins.  At one level buckets come in the order of their
 * numbers.  What is popped out of a bucket to which the wheel was turned is due at the time or
 * later by less than the bucket's width, so it goes to a lower level; out of level 0 it does not
 * go back.  `next` is no later than the beginning of any bucket that has a node: taking one out
 * does not look for the next, copi_wheel_next does.
 *
 * Threads: the owner's only. */
#ifndef COPI_WHEEL_H
#define COPI_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "assert.h"

enum {
    COPI_WHEEL_TICK = 1 << 23,       /* ns: the finest width */
    COPI_WHEEL_LEVELS = 7,
    COPI_WHEEL_BUCKETS = 64          /* of each level */
};

#define COPI_WHEEL_NEVER INT64_MAX

struct wheel_node {
    struct wheel_node *next;
    struct wheel_node **from;        /* what points to it: a bucket or the one before it */
};

struct wheel {
    int64_t time;
    int64_t next;                    /* COPI_WHEEL_NEVER when empty */
    uint32_t count;
    uint64_t occupied[COPI_WHEEL_LEVELS];   /* a bit for each bucket that has a node */
    struct wheel_node *buckets[COPI_WHEEL_LEVELS * COPI_WHEEL_BUCKETS];
};

void copi_wheel_init(struct wheel *wheel);

/* Its time becomes `now`, or as near to it as what is in it allows. */
void copi_wheel_advance_to(struct wheel *wheel, int64_t now);

static inline void copi_wheel_advance(struct wheel *wheel, int64_t now)
{
    if ((uint64_t)now - (uint64_t)wheel->time >= COPI_WHEEL_TICK)
        copi_wheel_advance_to(wheel, now);
}

/* The bit with which the buckets of a level begin to count. */
static inline unsigned copi_wheel_shift(unsigned level)
{
    return 23 + 6 * level;
}

/* Puts a node in that is due at the wheel's time or later.  Returns its bucket. */
static inline uint32_t copi_wheel_add(struct wheel *wheel, struct wheel_node *node,
                                      int64_t deadline)
{
    COP_ASSERT(deadline >= wheel->time);
    uint64_t due = (uint64_t)deadline;
    uint64_t differs = (due ^ (uint64_t)wheel->time) | COPI_WHEEL_TICK;
    unsigned level = (40 - (unsigned)__builtin_clzll(differs)) / 6;
    unsigned shift = copi_wheel_shift(level);
    uint32_t index = (due >> shift) % COPI_WHEEL_BUCKETS;
    int64_t begins = (int64_t)(due >> shift << shift);
    struct wheel_node **bucket = &wheel->buckets[level * COPI_WHEEL_BUCKETS + index];
    node->from = bucket;
    node->next = *bucket;
    if (node->next != NULL)
        node->next->from = &node->next;
    *bucket = node;
    wheel->occupied[level] |= UINT64_C(1) << index;
    wheel->count++;
    if (begins < wheel->next)
        wheel->next = begins;
    return level * COPI_WHEEL_BUCKETS + index;
}

/* Takes it out of its bucket. */
static inline void copi_wheel_remove(struct wheel *wheel, struct wheel_node *node, uint32_t bucket)
{
    COP_DEBUG(*node->from == node);
    *node->from = node->next;
    if (node->next != NULL)
        node->next->from = node->from;
    if (wheel->buckets[bucket] == NULL)
        wheel->occupied[bucket / COPI_WHEEL_BUCKETS] &=
            ~(UINT64_C(1) << bucket % COPI_WHEEL_BUCKETS);
    if (--wheel->count == 0)
        wheel->next = COPI_WHEEL_NEVER;
}

/* When the earliest bucket that has a node begins; COPI_WHEEL_NEVER when there is none. */
int64_t copi_wheel_next(struct wheel *wheel);

/* Moves the time to the beginning of the earliest bucket; the wheel is not empty.  Returns it. */
uint32_t copi_wheel_turn(struct wheel *wheel);

/* Takes a node out of it, NULL when it has none. */
static inline struct wheel_node *copi_wheel_pop(struct wheel *wheel, uint32_t bucket)
{
    struct wheel_node *node = wheel->buckets[bucket];
    if (node != NULL)
        copi_wheel_remove(wheel, node, bucket);
    return node;
}

#endif
