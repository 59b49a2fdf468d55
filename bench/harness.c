/* harness.c - see harness.h. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { REPETITIONS_MAX = 16 };

void bench_check_named(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "FAILED: %s\n", what);
        exit(1);
    }
}

bool bench_quick(void)
{
    return getenv("PEERS_QUICK") != NULL;
}

long bench_scale(long n)
{
    return bench_quick() && n >= 10 ? n / 10 : n;
}

int64_t bench_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

double bench_rate(long n, int64_t ns)
{
    return (double)n * 1e9 / (double)ns;
}

double bench_rss(void)
{
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    long kilobytes = -1;
    bench_check(file != NULL);
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "Rss: %ld kB", &kilobytes) == 1)
            break;
    fclose(file);
    bench_check(kilobytes >= 0);
    return (double)kilobytes * 1024;
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

double bench_percentile(double percent, int64_t *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_times);
    size_t rank = (size_t)(percent / 100 * (double)count + 0.999999);
    return (double)values[rank == 0 ? 0 : rank - 1];
}

/* ---- processes ------------------------------------------------------------------------- */

COP_MESSAGE(part_go, COP_EMPTY);
COP_MESSAGE(part_done, COP_EMPTY);

struct work {
    bench_part *part;
    void *context;
    int number;
};

static void worker(void *argument)
{
    struct work *work = argument;
    cop_receive_type(part_go, COP_INFINITY);
    work->part(work->context, work->number);
    cop_send(cop_parent(), part_done);
}

int64_t bench_parallel(int count, bench_part *part, void *context)
{
    cop_pid pids[128];
    bench_check(count <= (int)(sizeof pids / sizeof *pids));
    for (int i = 0; i < count; i++) {
        struct work work = { part, context, i };
        pids[i] = cop_spawn_link(worker, &work, sizeof work);
        bench_check(!cop_pid_is_none(pids[i]));
    }
    int64_t start = bench_now();
    for (int i = 0; i < count; i++)
        cop_send(pids[i], part_go);
    for (int i = 0; i < count; i++)
        cop_receive_type(part_done, COP_INFINITY);
    return bench_now() - start;
}

void bench_stop(cop_pid supervisor)
{
    cop_unlink(supervisor);
    cop_ref ref = cop_monitor(supervisor);
    cop_exit_process(supervisor, COP_SHUTDOWN);
    const cop_down_message *down =
        cop_get(cop_receive_match(&(cop_match){ .ref = ref }, 120000), cop_down_message);
    bench_check(down != NULL && cop_reason_is(down->reason, "shutdown"));
}

void bench_await_count(size_t count)
{
    for (int tries = 0; cop_process_count() > count; tries++) {
        bench_check(tries < 20000);
        cop_sleep(1);
    }
}

/* ---- repeating and printing ------------------------------------------------------------ */

struct repetition {
    bench_workload *workload;
    void *context;
    struct figures *ret_figures;
};

static void repetition(void *argument)
{
    const struct repetition *self = argument;
    *self->ret_figures = self->workload(self->context);
}

static struct figures run_once(bench_workload *workload, void *context)
{
    struct figures figures = { 0 };
    struct repetition self = { workload, context, &figures };
    cop_ref ref;
    bench_check(!cop_pid_is_none(cop_spawn_monitor(repetition, &self, sizeof self, &ref)));
    const cop_down_message *down =
        cop_get(cop_receive_match(&(cop_match){ .ref = ref }, COP_INFINITY), cop_down_message);
    bench_check(down != NULL && cop_reason_is(down->reason, "normal") && figures.count > 0);
    return figures;
}

static int64_t cpu_ms(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

static int compare_values(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_value(FILE *file, double value)
{
    fprintf(file, value >= 1000 ? "%.0f" : "%.3f", value);
}

static void print_figure(const char *name, const struct figure *figure, double *values, int count,
                         int64_t wall_ms, int64_t used_ms)
{
    char full[128];
    snprintf(full, sizeof full, "%s%s%s.s%d", name, figure->name[0] != '\0' ? "." : "",
             figure->name, cop_schedulers());
    qsort(values, (size_t)count, sizeof *values, compare_values);
    double median = (values[(count - 1) / 2] + values[count / 2]) / 2;
    printf("%s\t", full);
    print_value(stdout, median);
    printf("\t%s\t%ld\n", figure->unit, figure->n);
    fprintf(stderr, "# c %s reps=%d min=", full, count);
    print_value(stderr, values[0]);
    fprintf(stderr, " max=");
    print_value(stderr, values[count - 1]);
    fprintf(stderr, " wall_ms=%lld cpu_ms=%lld\n", (long long)wall_ms, (long long)used_ms);
}

void bench_run(const char *name, struct bench_options options, bench_workload *workload,
               void *context)
{
    struct figures results[REPETITIONS_MAX];
    int max = options.max == 0 ? 7 : options.max, min = options.min == 0 ? 3 : options.min;
    int64_t budget = (options.budget_ms == 0 ? 5000 : options.budget_ms) * (int64_t)1000000;
    if (bench_quick())
        max = min = 1;
    if (!options.cold && !bench_quick())
        run_once(workload, context);
    int64_t start = bench_now(), cpu = cpu_ms();
    int done = 0;
    while (done < max && (done < min || bench_now() - start < budget))
        results[done++] = run_once(workload, context);
    int64_t wall = (bench_now() - start) / 1000000, used = cpu_ms() - cpu;
    for (size_t i = 0; i < results[0].count; i++) {
        double values[REPETITIONS_MAX];
        for (int r = 0; r < done; r++)
            values[r] = results[r].figure[i].value;
        print_figure(name, &results[0].figure[i], values, done, wall, used);
    }
}
