/* growth.c - runs each kind with more and more things and judges what each one costs. */
#include "growth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "harness.h"

enum { SIZES = 3, STEPS_MAX = 40, RUNS_MAX = 9 };

/* Computing time, and the best of several runs: what else the machine does only adds to them. */
static const int run_counts[SIZES] = { RUNS_MAX, 5, 3 };

/* What one of many may cost, as a multiple of one of a tenth as many, and of a thousand.  A
 * thousand things fit into the processor's caches and a million do not, and random touches of them
 * miss in many places: what is linear may be 5 to 40 times as slow.  What is quadratic is 10 times
 * as slow in the last step, and 1,000 times (100 in a quick run) as slow in all. */
static const double STEP_LIMIT = 6, LIMIT = 100, QUICK_LIMIT = 50;

static const struct {
    const char *name;
    void (*run)(long n);
} kinds[] = {
    { "processes", growth_processes },
    { "names", growth_names },
    { "links", growth_links },
    { "monitors", growth_monitors },
    { "queued messages", growth_messages },
    { "timers", growth_timers },
    { "registry keys", growth_keys },
    { "dynamic children", growth_dynamic_children },
    { "fixed children", growth_fixed_children },
};

struct step {
    const char *kind, *name;
    double ns[SIZES][RUNS_MAX];      /* of one operation */
};

static struct step steps[STEPS_MAX];
static int step_count, next_step;
static int current_size, current_run;
static const char *current_kind;
static int64_t last_time;

static int64_t computed_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec * (int64_t)1000000000 + time.tv_nsec;
}

void growth_begin(void)
{
    last_time = computed_ns();
}

void growth_step(const char *name, long operations)
{
    int64_t now = computed_ns();
    bench_check(next_step < STEPS_MAX && operations > 0);
    struct step *step = &steps[next_step++];
    if (next_step > step_count)
        step_count = next_step;
    step->kind = current_kind;
    step->name = name;
    step->ns[current_size][current_run] = (double)(now - last_time) / (double)operations;
    last_time = computed_ns();
}

/* ---- running -------------------------------------------------------------------------------- */

struct order {
    void (*run)(long n);
    long n;
};

static void run_kind(void *argument)
{
    const struct order *order = argument;
    order->run(order->n);
}

static void run_once(struct order order)
{
    cop_ref ref;
    size_t before = cop_process_count();
    bench_check(!cop_pid_is_none(cop_spawn_monitor(run_kind, &order, sizeof order, &ref)));
    const cop_down_message *down =
        cop_get(cop_receive_match(&(cop_match){ .ref = ref }, COP_INFINITY), cop_down_message);
    bench_check(down != NULL && !cop_reason_abnormal(down->reason));
    bench_await_count(before);
}

static double least(const double *values, int count)
{
    double least = values[0];
    for (int i = 1; i < count; i++)
        if (values[i] < least)
            least = values[i];
    return least;
}

/* ---- printing -------------------------------------------------------------------------------- */

static bool print_step(const struct step *step)
{
    double ns[SIZES];
    printf("%-18s %-24s", step->kind, step->name);
    for (int i = 0; i < SIZES; i++) {
        ns[i] = least(step->ns[i], run_counts[i]);
        printf(" %12.1f", ns[i]);
    }
    double growth = ns[SIZES - 1] / ns[0], step_growth = ns[SIZES - 1] / ns[SIZES - 2];
    bool linear = bench_quick() ? growth <= QUICK_LIMIT
                                : growth <= LIMIT && step_growth <= STEP_LIMIT;
    printf(" %8.1f%s\n", growth, linear ? "" : "  more than linear");
    fflush(stdout);
    return linear;
}

void bench_growth(void)
{
    long sizes[SIZES] = { 1000, bench_scale(100000), bench_scale(1000000) };
    bool linear = true;
    printf("ns for each one of %-24s", "");
    for (int i = 0; i < SIZES; i++)
        printf(" %12ld", sizes[i]);
    printf(" %8s\n", "growth");
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
        int first = step_count;
        current_kind = kinds[kind].name;
        for (current_size = 0; current_size < SIZES; current_size++) {
            for (current_run = 0; current_run < run_counts[current_size]; current_run++) {
                next_step = first;
                run_once((struct order){ kinds[kind].run, sizes[current_size] });
            }
        }
        for (int i = first; i < step_count; i++)
            linear = print_step(&steps[i]) && linear;
    }
    bench_check_named(linear, "nothing costs more than linear time");
}

/* ---- what kinds have in common --------------------------------------------------------------- */

long *growth_shuffled(long n)
{
    long *numbers = cop_alloc((size_t)n * sizeof *numbers);
    for (long i = 0; i < n; i++)
        numbers[i] = i;
    for (long i = n - 1; i > 0; i--) {
        long j = (long)cop_random_below((uint64_t)i + 1), kept = numbers[i];
        numbers[i] = numbers[j];
        numbers[j] = kept;
    }
    return numbers;
}

void growth_await_count(size_t count)
{
    for (int64_t start = bench_now(); cop_process_count() > count;) {
        bench_check(bench_now() - start < 60 * (int64_t)1000000000);
        cop_yield();
    }
}

static void on_message(void *state, cop_message *message)
{
    (void)state;
    (void)message;
}

static void become_idle(void *argument)
{
    (void)argument;
    cop_become(on_message, NULL);
}

cop_pid *growth_idle_processes(long n, bool linked)
{
    cop_pid *pids = cop_alloc((size_t)n * sizeof *pids);
    for (long i = 0; i < n; i++) {
        pids[i] = linked ? cop_spawn_link(become_idle, NULL, 0) : cop_spawn(become_idle, NULL, 0);
        bench_check(!cop_pid_is_none(pids[i]));
        if (i % 1000 == 999)
            cop_yield();       /* they run, so that their stacks serve the next ones */
    }
    return pids;
}
