/* skynet.c - a process for each number: 1,000,000 leaves below a root, ten children a node.
 *
 * A node is written in two ways: it waits in a receive, and so keeps a stack while it waits, or it
 * becomes a handler and keeps none. */
#include "cases.h"
#include "harness.h"

enum { CHILDREN = 10 };

COP_MESSAGE(sky, { long sum; });

struct node {
    cop_function *function;
    long number, size;
};

static void spawn_children(const struct node *node)
{
    for (long i = 0; i < CHILDREN; i++) {
        struct node child = { node->function, node->number + i * (node->size / CHILDREN),
                              node->size / CHILDREN };
        bench_check(!cop_pid_is_none(cop_spawn(node->function, &child, sizeof child)));
    }
}

static void waiting_node(void *argument)
{
    const struct node *node = argument;
    long sum = node->number;
    if (node->size > 1) {
        sum = 0;
        spawn_children(node);
        for (int i = 0; i < CHILDREN; i++)
            sum += cop_receive_type(sky, COP_INFINITY)->sum;
    }
    cop_send(cop_parent(), sky, .sum = sum);
}

struct adder {
    long sum;
    int left;
};

static void add(void *state, cop_message *message)
{
    struct adder *adder = state;
    adder->sum += cop_expect(message, sky)->sum;
    if (--adder->left == 0) {
        cop_send(cop_parent(), sky, .sum = adder->sum);
        cop_exit(COP_NORMAL);
    }
}

static void handling_node(void *argument)
{
    const struct node *node = argument;
    if (node->size == 1) {
        cop_send(cop_parent(), sky, .sum = node->number);
        return;
    }
    spawn_children(node);
    struct adder *adder = cop_alloc(sizeof *adder);
    adder->left = CHILDREN;
    cop_become(add, adder);
}

struct variant {
    const char *figure;
    cop_function *function;
};

static struct figures skynet(void *context)
{
    const struct variant *variant = context;
    long size = bench_scale(1000000);
    struct node root = { variant->function, 0, size };
    size_t before = cop_process_count();
    int64_t start = bench_now();
    cop_spawn_link(variant->function, &root, sizeof root);
    long sum = cop_receive_type(sky, COP_INFINITY)->sum;
    int64_t time = bench_now() - start;
    bench_check(sum == size * (size - 1) / 2);
    bench_await_count(before);
    return (struct figures){ 1, { { variant->figure, (double)time / 1e6, "ms", size } } };
}

void case_skynet(void)
{
    bench_run("skynet", BENCH_DEFAULTS, skynet, &(struct variant){ "", handling_node });
    bench_run("skynet", BENCH_DEFAULTS, skynet, &(struct variant){ "receive", waiting_node });
}
