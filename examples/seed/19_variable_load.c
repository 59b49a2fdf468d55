/* 19_variable_load.c - Best practice 5: a worker for each item, not a fixed number for a load
 * that nobody knows. */
#include "cast.h"

static void worker(void *item);
static void pool_worker(void *argument);

/* Good: a worker per item, restarted if it crashes, forgotten when its item is done. */
static const cop_child_spec template_ = {
    .start = cop_child_function, .module = (const void *)worker, .restart = COP_TRANSIENT,
};
static const cop_dynamic_supervisor task_supervisor = {
    .name = "task_supervisor", .template_ = &template_,
};

static void process_batch(const int *items, int count)
{
    for (int i = 0; i < count; i++)
        cop_must(cop_dynamic_supervisor_start_from(cop_to("task_supervisor"), &items[i],
                                                   sizeof items[i]).error);
}

/* Bad: ten workers; of a hundred items ninety have to wait. */
#define WORKER(id_) { .id = id_, .start = cop_child_function, .module = (const void *)pool_worker }
static const cop_child_spec ten_workers[] = {
    WORKER("worker 1"), WORKER("worker 2"), WORKER("worker 3"), WORKER("worker 4"),
    WORKER("worker 5"), WORKER("worker 6"), WORKER("worker 7"), WORKER("worker 8"),
    WORKER("worker 9"), WORKER("worker 10"),
};
static const cop_supervisor fixed_pool = {
    .name = "fixed_pool", .strategy = COP_ONE_FOR_ONE, COP_CHILDREN(ten_workers),
};

/* ---- on stage ---- */

enum { ITEMS = 100, WORK_MS = 50 };
COP_MESSAGE(item, { int number; });
COP_MESSAGE(done, { int number; });

static void work_on(int number)
{
    cop_sleep(WORK_MS);
    cop_send("story", done, .number = number);
}

static void worker(void *number)
{
    cop_init_ack();
    work_on(*(const int *)number);
}

static void pool_worker(void *argument)
{
    (void)argument;
    cop_init_ack();
    while (true)
        work_on(cop_receive_type(item, COP_INFINITY)->number);
}

/* Gives each item to one of the ten, in turn. */
static void share_out(const int *items, int count)
{
    for (int i = 0; i < count; i++) {
        cop_child_status status;
        cop_must(cop_supervisor_which_child(cop_to("fixed_pool"), ten_workers[i % 10].id,
                                            &status));
        cop_send(status.pid, item, .number = items[i]);
    }
}

static void try_it(const char *supervisor, void (*process)(const int *items, int count))
{
    int items[ITEMS];
    for (int i = 0; i < ITEMS; i++)
        items[i] = i;
    int64_t start = cop_now_ms();
    process(items, ITEMS);
    cop_child_counts counts;
    cop_must(cop_supervisor_count_children(cop_to(supervisor), &counts));
    for (int i = 0; i < ITEMS; i++)
        cop_receive_type(done, COP_INFINITY);
    printf("%s: %d items, %zu workers, %lld ms\n", supervisor, ITEMS, counts.active,
           (long long)(cop_now_ms() - start));
}

static void story(void *argument)
{
    (void)argument;
    cop_must(cop_register("story"));
    cop_must(cop_dynamic_supervisor_start_link(&task_supervisor).error);
    cop_must(cop_supervisor_start_link(&fixed_pool).error);
    try_it("task_supervisor", process_batch);
    try_it("fixed_pool", share_out);
}

PLAY(story)
