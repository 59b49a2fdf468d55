/* message.c - fan_in: 100 senders and one receiver. */
#include "cases.h"
#include "harness.h"

enum { SENDERS = 100 };

COP_MESSAGE(go, COP_EMPTY);
COP_MESSAGE(load, { long sender; long i; });
COP_MESSAGE(summed, { long sum; int64_t time; });

struct sender {
    cop_pid receiver;
    long number, messages;
};

static void send_many(void *argument)
{
    const struct sender *self = argument;
    cop_receive_type(go, COP_INFINITY);
    for (long i = self->messages; i >= 1; i--)
        cop_send(self->receiver, load, .sender = self->number, .i = i);
}

static void receive_many(void *argument)
{
    long count = *(long *)argument, sum = 0;
    for (long i = 0; i < count; i++)
        sum += cop_expect(cop_receive(COP_INFINITY), load)->i;
    bench_check(cop_mailbox_length() == 0);
    cop_send(cop_parent(), summed, .sum = sum, .time = bench_now());
}

static struct figures fan_in(void *context)
{
    long each = bench_scale(20000), n = SENDERS * each;
    cop_pid senders[SENDERS];
    (void)context;
    cop_pid receiver = cop_spawn(receive_many, &n, sizeof n);
    for (long i = 0; i < SENDERS; i++) {
        struct sender sender = { receiver, i + 1, each };
        senders[i] = cop_spawn(send_many, &sender, sizeof sender);
    }
    int64_t start = bench_now();
    for (int i = 0; i < SENDERS; i++)
        cop_send(senders[i], go);
    const summed *result = cop_receive_type(summed, COP_INFINITY);
    bench_check(result->sum == SENDERS * (each * (each + 1) / 2));
    return (struct figures){ 1, { { "", bench_rate(n, result->time - start), "msgs/s", n } } };
}

void case_fan_in(void)
{
    bench_run("fan_in", BENCH_DEFAULTS, fan_in, NULL);
}
