/* timer.c - timers and timers_fire: set, cancelled, due all at once, due over a second. */
#include <stdlib.h>

#include "cases.h"
#include "harness.h"

COP_MESSAGE(fired, { long i; int64_t due; });

/* ---- timers that never fire ---------------------------------------------------------------- */

static void set_all(cop_ref *timers, long n)
{
    for (long i = n; i >= 1; i--) {
        timers[n - i] = cop_send_after(cop_self(), 60000 + i % 50000, fired, .i = i);
        bench_check(timers[n - i].serial != 0);
    }
}

static struct figures set_and_cancel_all(void *context)
{
    long n = bench_scale(1000000);
    cop_ref *timers = malloc((size_t)n * sizeof *timers);
    (void)context;
    int64_t start = bench_now();
    set_all(timers, n);
    int64_t set_time = bench_now() - start;
    start = bench_now();
    for (long i = 0; i < n; i++)
        bench_check(cop_cancel_timer(timers[i]) >= 0);
    int64_t cancel_time = bench_now() - start;
    bench_check(cop_mailbox_length() == 0);
    free(timers);
    return (struct figures){ 3, {
        { "set", bench_rate(n, set_time), "ops/s", n },
        { "cancel", bench_rate(n, cancel_time), "ops/s", n },
        { "set_cancel_all", bench_rate(2 * n, set_time + cancel_time), "ops/s", 2 * n } } };
}

static struct figures set_and_cancel_each(void *context)
{
    long n = bench_scale(1000000);
    (void)context;
    int64_t start = bench_now();
    for (long i = 0; i < n; i++) {
        cop_ref timer = cop_send_after(cop_self(), 5000, fired, .i = i);
        bench_check(cop_cancel_timer(timer) >= 0);
    }
    int64_t time = bench_now() - start;
    bench_check(cop_mailbox_length() == 0);
    return (struct figures){ 1, { { "set_cancel_each", bench_rate(n, time), "pairs/s", n } } };
}

void case_timers(void)
{
    bench_run("timers", BENCH_DEFAULTS, set_and_cancel_all, NULL);
    bench_run("timers", BENCH_DEFAULTS, set_and_cancel_each, NULL);
}

/* ---- timers that fire ---------------------------------------------------------------------- */

/* Sets a timer for the first moment from `due` on that a delay of whole milliseconds can name. */
static void set_due(int64_t due, long i)
{
    int64_t now = cop_now_ns(), delay_ms = (due - now + 999999) / 1000000;
    cop_send_after(cop_self(), delay_ms, fired, .i = i, .due = now + delay_ms * 1000000);
}

/* All due within a millisecond, half a second ahead: how fast they come once they are due. */
static struct figures storm(void *context)
{
    long n = bench_scale(200000), sum = 0;
    int64_t due = cop_now_ns() + 500 * (int64_t)1000000;
    (void)context;
    for (long i = n; i >= 1; i--)
        set_due(due, i);
    bench_check(cop_now_ns() < due);
    for (long i = 0; i < n; i++)
        sum += cop_receive_type(fired, COP_INFINITY)->i;
    int64_t time = cop_now_ns() - due;
    bench_check(sum == n * (n + 1) / 2);
    return (struct figures){ 1, { { "storm", bench_rate(n, time), "timers/s", n } } };
}

/* Spread evenly over a second: how late they come. */
static struct figures late(void *context)
{
    long n = bench_scale(200000);
    int64_t *times = malloc((size_t)n * sizeof *times);
    int64_t first = cop_now_ns() + 300 * (int64_t)1000000;
    (void)context;
    for (long i = n; i >= 1; i--)
        set_due(first + i * 1000 / n * 1000000, i);
    bench_check(cop_now_ns() < first);
    for (long i = 0; i < n; i++) {
        times[i] = -cop_receive_type(fired, COP_INFINITY)->due;
        times[i] += cop_now_ns();
        bench_check(times[i] >= 0);
    }
    struct figures figures = { 2, {
        { "late.p50", bench_percentile(50, times, (size_t)n) / 1000, "us", n },
        { "late.p99", bench_percentile(99, times, (size_t)n) / 1000, "us", n } } };
    free(times);
    return figures;
}

void case_timers_fire(void)
{
    bench_run("timers_fire", (struct bench_options){ .max = 5 }, storm, NULL);
    bench_run("timers_fire", (struct bench_options){ .max = 3, .cold = true }, late, NULL);
}
