/* ring.c - ring and threadring: a token goes round.
 *
 * The nodes are written in two ways: a loop around a receive, which keeps a stack for each node,
 * and a handler (cop_become), which keeps none. */
#include "cases.h"
#include "harness.h"

COP_MESSAGE(join, { cop_pid next; });
COP_MESSAGE(token, { long left; });
COP_MESSAGE(stop_node, COP_EMPTY);
COP_MESSAGE(arrived, { long number; });

struct node {
    cop_pid owner, next;
    long number;
};

/* Whether the node goes on. */
static bool handle(struct node *node, const cop_message *message)
{
    const token *it = cop_get(message, token);
    if (it == NULL && cop_is(message, join)) {
        node->next = cop_expect(message, join)->next;
    } else if (it == NULL) {
        cop_expect(message, stop_node);
        cop_send(node->next, stop_node);
        return false;
    } else if (it->left == 0) {
        cop_send(node->owner, arrived, .number = node->number);
    } else {
        cop_send(node->next, token, .left = it->left - 1);
    }
    return true;
}

static void looping_node(void *argument)
{
    while (handle(argument, cop_receive(COP_INFINITY)))
        ;
}

static void on_message(void *state, cop_message *message)
{
    if (!handle(state, message))
        cop_exit(COP_NORMAL);
}

static void stackless_node(void *argument)
{
    struct node *node = cop_alloc(sizeof *node);
    *node = *(struct node *)argument;
    cop_become(on_message, node);
}

struct ring {
    const char *figure;
    cop_function *function;
    long size, hops, last;      /* the token ends at node `last` */
};

static struct figures go_round(void *context)
{
    const struct ring *ring = context;
    struct node node = { cop_self(), COP_NO_PID, 1 };
    size_t before = cop_process_count();
    cop_pid first = cop_spawn_link(ring->function, &node, sizeof node);
    node.next = first;
    for (node.number = ring->size; node.number >= 2; node.number--)
        node.next = cop_spawn_link(ring->function, &node, sizeof node);
    cop_send(first, join, .next = node.next);
    int64_t start = bench_now();
    cop_send(first, token, .left = ring->hops);
    long number = cop_receive_type(arrived, COP_INFINITY)->number;
    int64_t time = bench_now() - start;
    bench_check(number == ring->last);
    cop_send(first, stop_node);
    bench_await_count(before);
    return (struct figures){ 1, { { ring->figure, bench_rate(ring->hops, time), "hops/s",
                                    ring->hops } } };
}

static void run(const char *name, long size, long hops, long last)
{
    struct ring loop = { "", looping_node, size, hops, last };
    bench_run(name, BENCH_DEFAULTS, go_round, &loop);
    struct ring handler = { "handler", stackless_node, size, hops, last };
    bench_run(name, BENCH_DEFAULTS, go_round, &handler);
}

void case_ring(void)
{
    run("ring", 1000, 1000 * bench_scale(1000), 1);
}

void case_threadring(void)
{
    long hops = bench_scale(5000000);
    run("threadring", 503, hops, hops % 503 + 1);
}
