/* process.c - spawn_exit and pingpong: processes and plain messages. */
#include <coppice/coppice.h>

#include "cases.h"
#include "harness.h"

/* ---- spawn_exit: batches of 1,000, each awaited before the next ------------------------ */

COP_MESSAGE(done, COP_EMPTY);

static void report_to_parent(void *argument)
{
    (void)argument;
    cop_send(cop_parent(), done);
}

static void do_nothing(void *argument)
{
    (void)argument;
}

static struct figures spawn_msg(void *context)
{
    long n = bench_scale(1000000), batch = n / 1000;
    int64_t start = bench_now();
    (void)context;
    for (int i = 0; i < 1000; i++) {
        for (long j = 0; j < batch; j++)
            bench_check(!cop_pid_is_none(cop_spawn(report_to_parent, NULL, 0)));
        for (long j = 0; j < batch; j++)
            bench_check(cop_receive_type(done, COP_INFINITY) != NULL);
    }
    int64_t time = bench_now() - start;
    bench_check(cop_mailbox_length() == 0);
    return (struct figures){ 1, { { "msg", bench_rate(n, time), "spawns/s", n } } };
}

static struct figures spawn_mon(void *context)
{
    long n = bench_scale(1000000), batch = n / 1000;
    size_t before = cop_process_count();
    int64_t start = bench_now();
    (void)context;
    for (int i = 0; i < 1000; i++) {
        cop_ref ref;
        for (long j = 0; j < batch; j++)
            bench_check(!cop_pid_is_none(cop_spawn_monitor(do_nothing, NULL, 0, &ref)));
        for (long j = 0; j < batch; j++) {
            const cop_down_message *down = cop_receive_type(cop_down_message, COP_INFINITY);
            bench_check(down != NULL && cop_reason_is(down->reason, "normal"));
        }
    }
    int64_t time = bench_now() - start;
    bench_check(cop_mailbox_length() == 0 && cop_process_count() == before);
    return (struct figures){ 1, { { "mon", bench_rate(n, time), "spawns/s", n } } };
}

void case_spawn_exit(void)
{
    bench_run("spawn_exit", BENCH_DEFAULTS, spawn_msg, NULL);
    bench_run("spawn_exit", BENCH_DEFAULTS, spawn_mon, NULL);
}

/* ---- pingpong: A takes only the answer with its number --------------------------------- */

COP_MESSAGE(ping, { cop_pid from; long i; });
COP_MESSAGE(pong, { long i; });

static void player(void *argument)
{
    (void)argument;
    for (;;) {
        const ping *ball = cop_expect(cop_receive(COP_INFINITY), ping);
        cop_send(ball->from, pong, .i = ball->i);
    }
}

static struct figures pingpong(void *context)
{
    long n = bench_scale(1000000), sum = 0;
    (void)context;
    cop_ref ref;
    cop_pid other = cop_spawn_monitor(player, NULL, 0, &ref);
    int64_t start = bench_now();
    for (long i = n; i >= 1; i--) {
        cop_send(other, ping, .from = cop_self(), .i = i);
        const pong *answer = cop_receive_type(pong, COP_INFINITY);
        bench_check(answer->i == i);
        sum += answer->i;
    }
    int64_t time = bench_now() - start;
    bench_check(sum == n * (n + 1) / 2);
    cop_exit_process(other, COP_KILL);
    cop_message_free(cop_take(&(cop_match){ .ref = ref }, COP_INFINITY));
    return (struct figures){ 1, { { "", bench_rate(n, time), "roundtrips/s", n } } };
}

void case_pingpong(void)
{
    bench_run("pingpong", BENCH_DEFAULTS, pingpong, NULL);
}
