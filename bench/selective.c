/* selective.c - selective receive past 10,000 unrelated messages. */
#include "cases.h"
#include "harness.h"

enum { UNRELATED = 10000 };

COP_MESSAGE(unrelated, { long i; });
COP_CALL(next_value, COP_EMPTY, { long value; });
COP_MESSAGE(ping, { cop_pid from; long i; });
COP_MESSAGE(pong, { long i; });

static void fill_mailbox(void)
{
    for (long i = 0; i < UNRELATED; i++)
        cop_send(cop_self(), unrelated, .i = i);
}

/* ---- call: the reference lets the receive skip what was there before ------------------- */

static cop_next handle_call(void *state, const cop_message *request, cop_from from)
{
    long *counter = state;
    (void)from;
    cop_expect(request, next_value);
    return cop_reply(next_value, .value = ++*counter);
}

static const cop_gen_server counter = { .label = "counter", .state_size = sizeof(long),
                                        .handle_call = handle_call };

static struct figures call_past(void *context)
{
    long n = bench_scale(200000);
    next_value_reply reply;
    (void)context;
    cop_pid server = cop_gen_server_start_link(&counter).pid;
    fill_mailbox();
    int64_t start = bench_now();
    for (long i = 0; i < n; i++)
        bench_check(cop_call(server, &reply, next_value) == 0);
    int64_t time = bench_now() - start;
    bench_check(cop_call(server, &reply, next_value) == 0 && reply.value == n + 1);
    bench_check(cop_mailbox_length() == UNRELATED);
    bench_check(cop_stop_process(cop_to(server), COP_NORMAL, COP_INFINITY) == 0);
    return (struct figures){ 1, { { "call", bench_rate(n, time), "calls/s", n } } };
}

/* ---- scan: by type, so that the receive walks past all of them ------------------------- */

static void player(void *argument)
{
    (void)argument;
    for (;;) {
        const ping *ball = cop_expect(cop_receive(COP_INFINITY), ping);
        cop_send(ball->from, pong, .i = ball->i);
    }
}

static struct figures scan_past(void *context)
{
    long n = bench_scale(5000), sum = 0;
    (void)context;
    cop_pid other = cop_spawn(player, NULL, 0);
    fill_mailbox();
    int64_t start = bench_now();
    for (long i = n; i >= 1; i--) {
        cop_send(other, ping, .from = cop_self(), .i = i);
        const pong *answer = cop_receive_type(pong, COP_INFINITY);
        bench_check(answer->i == i);
        sum += answer->i;
    }
    int64_t time = bench_now() - start;
    bench_check(sum == n * (n + 1) / 2);
    bench_check(cop_mailbox_length() == UNRELATED);
    cop_exit_process(other, COP_KILL);
    return (struct figures){ 1, { { "scan", bench_rate(n, time), "calls/s", n } } };
}

void case_selective(void)
{
    bench_run("selective", BENCH_DEFAULTS, call_past, NULL);
    bench_run("selective", BENCH_DEFAULTS, scan_past, NULL);
}
