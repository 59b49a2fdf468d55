/* 19_variable_load.c - Best practice 5: a worker for each item, not a fixed number for a load
 * that nobody knows. */
#include "cast.h"

enum { POOL = 10, ITEMS = 100, WORK_MS = 50 };
static const cop_task_supervisor task_supervisor = { .name = "task_supervisor" };
static const cop_task_supervisor fixed_pool = { .name = "fixed_pool", .max_children = POOL };

static cop_message *work(void *item)
{
    (void)item;
    cop_sleep(WORK_MS);
    return NULL;
}

static void process_batch(const char *supervisor)
{
    int64_t start = cop_now_ms();
    for (int item = 0; item < ITEMS; item++)
        while (cop_task_supervisor_start_child(cop_to(supervisor), work, NULL, 0).error != 0)
            cop_sleep(1);                            /* full: the rest has to wait */
    cop_child_counts counts;
    do {
        cop_sleep(1);
        cop_dynamic_supervisor_count_children(cop_to(supervisor), &counts);
    } while (counts.active > 0);
    printf("%s: %d items in about %lld ms\n", supervisor, ITEMS,
           (long long)(cop_now_ms() - start) / WORK_MS * WORK_MS);
}

/* ---- on stage ---- */

static void story(void *argument)
{
    (void)argument;
    cop_task_supervisor_start_link(&task_supervisor);
    cop_task_supervisor_start_link(&fixed_pool);
    process_batch("task_supervisor");
    process_batch("fixed_pool");
}

PLAY(story)
