/* task.c - tasks under a task supervisor: awaited one by one, by the thousand, as a stream. */
#include "cases.h"
#include "harness.h"

enum { BATCH = 1000 };

COP_MESSAGE(number, { long value; });

static const cop_task_supervisor tasks = { .name = NULL };

static cop_message *give_back(void *argument)
{
    return cop_new(number, .value = *(long *)argument);
}

static cop_pid start_supervisor(void)
{
    cop_started top = cop_task_supervisor_start_link(&tasks);
    bench_check(top.error == 0);
    return top.pid;
}

static cop_task start_task(cop_pid top, long i)
{
    return cop_task_supervisor_async_nolink(cop_to(top), give_back, &i, sizeof i);
}

static long await(cop_task task)
{
    cop_message *result;
    bench_check(cop_task_await(task, 5000, &result, NULL) == 0);
    long value = cop_expect(result, number)->value;
    cop_message_free(result);
    return value;
}

static struct figures finish(const char *name, cop_pid top, long n, long sum, int64_t time)
{
    bench_check(sum == n * (n + 1) / 2);
    bench_stop(top);
    return (struct figures){ 1, { { name, bench_rate(n, time), "tasks/s", n } } };
}

static struct figures await_each(void *context)
{
    long n = bench_scale(100000), sum = 0;
    (void)context;
    cop_pid top = start_supervisor();
    int64_t start = bench_now();
    for (long i = n; i >= 1; i--)
        sum += await(start_task(top, i));
    return finish("await_each", top, n, sum, bench_now() - start);
}

static struct figures await_1000(void *context)
{
    long n = bench_scale(100000), sum = 0;
    cop_task *started = cop_alloc(BATCH * sizeof *started);
    (void)context;
    cop_pid top = start_supervisor();
    int64_t start = bench_now();
    for (long first = 1; first <= n; first += BATCH) {
        for (long i = 0; i < BATCH; i++)
            started[i] = start_task(top, first + i);
        for (long i = 0; i < BATCH; i++)
            sum += await(started[i]);
    }
    return finish("await_1000", top, n, sum, bench_now() - start);
}

struct counter {
    long next, last;
};

static bool next_number(void *context, void *ret_input)
{
    struct counter *counter = context;
    if (counter->next > counter->last)
        return false;
    *(long *)ret_input = counter->next++;
    return true;
}

static struct figures stream_8(void *context)
{
    long n = bench_scale(100000), sum = 0, items = 0;
    struct counter counter = { 1, n };
    cop_task_item item;
    (void)context;
    cop_pid top = start_supervisor();
    int64_t start = bench_now();
    cop_task_stream *stream = cop_task_supervisor_async_stream(cop_to(top),
        &(cop_task_stream_options){ .function = give_back, .input = next_number,
                                    .context = &counter, .input_size = sizeof(long),
                                    .max_concurrency = 8 });
    while (cop_task_stream_next(stream, &item)) {
        long value = cop_expect(item.message, number)->value;
        bench_check(value == ++items);
        sum += value;
    }
    bench_check(cop_task_stream_close(stream) == 0);
    return finish("stream_8", top, n, sum, bench_now() - start);
}

void case_tasks(void)
{
    struct bench_options options = { .budget_ms = 2500 };
    bench_run("tasks", options, await_each, NULL);
    bench_run("tasks", options, await_1000, NULL);
    bench_run("tasks", options, stream_8, NULL);
}
