/* wheel.c - see wheel.h: where the earliest bucket is, and the time. */
#include "wheel.h"

#include <string.h>

void copi_wheel_init(struct wheel *wheel)
{
    memset(wheel, 0, sizeof *wheel);
    wheel->next = COPI_WHEEL_NEVER;
}

void copi_wheel_advance_to(struct wheel *wheel, int64_t now)
{
    int64_t time = now - now % COPI_WHEEL_TICK;
    if (wheel->count == 0)
        wheel->time = time;
    else if (time > wheel->time)
        wheel->time = time < wheel->next ? time : wheel->next;
}

/* Of two buckets that begin at once the wider is the earlier: what is in it goes to the other.
 * Whether there is one. */
static bool find_earliest(const struct wheel *wheel, uint32_t *ret_bucket, int64_t *ret_begins)
{
    bool found = false;
    for (int level = COPI_WHEEL_LEVELS - 1; level >= 0; level--) {
        if (wheel->occupied[level] == 0)
            continue;
        unsigned shift = copi_wheel_shift((unsigned)level);
        uint64_t above = ~(((uint64_t)COPI_WHEEL_BUCKETS << shift) - 1);   /* none for the last */
        unsigned index = (unsigned)__builtin_ctzll(wheel->occupied[level]);
        int64_t begins = (int64_t)(((uint64_t)wheel->time & above) | (uint64_t)index << shift);
        if (found && begins >= *ret_begins)
            continue;
        found = true;
        *ret_begins = begins;
        *ret_bucket = (uint32_t)level * COPI_WHEEL_BUCKETS + index;
    }
    return found;
}

int64_t copi_wheel_next(struct wheel *wheel)
{
    uint32_t bucket;
    if (!find_earliest(wheel, &bucket, &wheel->next))
        wheel->next = COPI_WHEEL_NEVER;
    return wheel->next;
}

uint32_t copi_wheel_turn(struct wheel *wheel)
{
    uint32_t bucket = 0;
    COP_ASSERT(find_earliest(wheel, &bucket, &wheel->next));
    wheel->time = wheel->next;
    return bucket;
}
