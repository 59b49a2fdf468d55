/* tree.c - tree_start: a tree of 111 supervisors and 10,000 workers, up and down. */
#include "cases.h"
#include "harness.h"
#include "victim.h"

enum { BRANCHES = 10, LEAVES = 100, WORKERS = BRANCHES * BRANCHES * LEAVES,
       PROCESSES = WORKERS + 1 + BRANCHES + BRANCHES * BRANCHES };

/* One table for each level, used by every supervisor of that level. */
struct tree {
    cop_supervisor root, middle, lowest;
    cop_child_spec middles[BRANCHES], lowests[BRANCHES], *workers;
    _Atomic long started;
};

static void make_branches(cop_supervisor *above, cop_child_spec *specs,
                          const cop_supervisor *below)
{
    static const char *const ids[BRANCHES] = { "1", "2", "3", "4", "5",
                                               "6", "7", "8", "9", "10" };
    for (int i = 0; i < BRANCHES; i++)
        specs[i] = (cop_child_spec){ .id = ids[i], .start = cop_child_supervisor,
                                     .module = below, .type = COP_SUPERVISOR };
    *above = (cop_supervisor){ .intensity = VICTIM_INTENSITY, .children = specs,
                               .child_count = BRANCHES };
}

static struct tree *make_tree(void)
{
    struct tree *tree = cop_alloc(sizeof *tree);
    tree->workers = victim_specs(LEAVES);
    for (int i = 0; i < LEAVES; i++)
        victim_argument_of(&tree->workers[i])->counter = &tree->started;
    tree->lowest = (cop_supervisor){ .intensity = VICTIM_INTENSITY, .children = tree->workers,
                                     .child_count = LEAVES };
    make_branches(&tree->middle, tree->lowests, &tree->lowest);
    make_branches(&tree->root, tree->middles, &tree->middle);
    return tree;
}

static struct figures start_and_stop(void *context)
{
    (void)context;
    struct tree *tree = make_tree();
    size_t before = cop_process_count();
    int64_t start = bench_now();
    cop_started root = cop_supervisor_start_link(&tree->root);
    int64_t start_time = bench_now() - start;
    bench_check(root.error == 0 && tree->started == WORKERS);
    bench_check(cop_process_count() - before == PROCESSES);
    start = bench_now();
    bench_stop(root.pid);
    int64_t stop_time = bench_now() - start;
    bench_await_count(before);
    return (struct figures){ 2, { { "start", (double)start_time / 1e6, "ms", WORKERS },
                                  { "stop", (double)stop_time / 1e6, "ms", WORKERS } } };
}

void case_tree_start(void)
{
    bench_run("tree_start", (struct bench_options){ .max = 15 }, start_and_stop, NULL);
}
