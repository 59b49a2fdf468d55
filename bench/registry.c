/* registry.c - looking up and registering names and the keys of a registry. */
#include <stdio.h>
#include <stdlib.h>

#include "cases.h"
#include "harness.h"

enum { NAMES = 10000, KEYS = 100000, OWN = 100, LOOKERS = 2, NAME_SIZE = 24 };

COP_MESSAGE(registered, COP_EMPTY);

static const cop_registry names_of_mine = { .name = "bench_registry" };

static char (*names)[NAME_SIZE];
static char own_names[LOOKERS][OWN][NAME_SIZE];

/* ---- owners: a process for each name ------------------------------------------------------- */

struct owner {
    bool in_registry;
    const char *name;
};

static void own_a_name(void *argument)
{
    const struct owner *owner = argument;
    bench_check((owner->in_registry ? cop_registry_register(&names_of_mine, owner->name)
                                    : cop_register(owner->name)) == 0);
    cop_send(cop_parent(), registered);
    cop_receive(COP_INFINITY);
}

static void start_owners(bool in_registry, const char *format, int count)
{
    names = malloc((size_t)count * sizeof *names);
    for (int i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], format, i + 1);
        struct owner owner = { in_registry, names[i] };
        cop_pid pid = cop_spawn_link(own_a_name, &owner, sizeof owner);
        bench_check(cop_receive_type(registered, COP_INFINITY) != NULL);
        bench_check(cop_pid_equal(pid, in_registry
                                           ? cop_registry_whereis(&names_of_mine, names[i], NULL)
                                           : cop_whereis(names[i])));
    }
}

/* ---- look-ups: 500,000 by each of two processes -------------------------------------------- */

static int64_t next_random(int64_t x)
{
    return x * 16807 % 2147483647;
}

static void look_names_up(void *context, int number)
{
    int64_t x = number + 1;
    for (long i = *(long *)context; i > 0; i--, x = next_random(x))
        bench_check(!cop_pid_is_none(cop_whereis(names[x % NAMES])));
}

static void look_keys_up(void *context, int number)
{
    int64_t x = number + 1;
    for (long i = *(long *)context; i > 0; i--, x = next_random(x))
        bench_check(!cop_pid_is_none(cop_registry_whereis(&names_of_mine, names[x % KEYS], NULL)));
}

static struct figures look_up(void *context)
{
    long n = bench_scale(1000000), each = n / LOOKERS;
    int64_t time = bench_parallel(LOOKERS, *(bench_part **)context, &each);
    return (struct figures){ 1, { { "", bench_rate(n, time), "lookups/s", n } } };
}

/* ---- registering: one of 100 names of one's own, in turn ----------------------------------- */

static void register_names(void *context, int number)
{
    for (long i = *(long *)context; i > 0; i--) {
        const char *name = own_names[number][i % OWN];
        bench_check(cop_register(name) == 0);
        bench_check(cop_unregister(name) == 0);
    }
}

static void register_keys(void *context, int number)
{
    for (long i = *(long *)context; i > 0; i--) {
        const char *name = own_names[number][i % OWN];
        bench_check(cop_registry_register(&names_of_mine, name) == 0);
        bench_check(cop_registry_unregister(&names_of_mine, name) == 0);
    }
}

struct registering {
    bench_part *part;
    int processes;
};

static struct figures register_all(void *context)
{
    const struct registering *registering = context;
    long n = bench_scale(200000), each = n / registering->processes;
    int64_t time = bench_parallel(registering->processes, registering->part, &each);
    return (struct figures){ 1, { { registering->processes == 1 ? "c1" : "c2",
                                    bench_rate(n, time), "pairs/s", n } } };
}

static void run_registering(const char *name, bench_part *part)
{
    for (int processes = 1; processes <= LOOKERS; processes++)
        bench_run(name, (struct bench_options){ .budget_ms = 2500 }, register_all,
                  &(struct registering){ part, processes });
}

void case_registry(void)
{
    for (int i = 0; i < LOOKERS * OWN; i++)
        snprintf(own_names[i / OWN][i % OWN], NAME_SIZE, "own-%d-%d", i / OWN + 1, i % OWN + 1);
    start_owners(false, "peer_name_%d", NAMES);
    bench_run("registry.whereis", BENCH_DEFAULTS, look_up, &(bench_part *){ look_names_up });
    run_registering("registry.register", register_names);
    free(names);

    bench_check(cop_registry_start_link(&names_of_mine).error == 0);
    start_owners(true, "name-%06d", KEYS);
    bench_run("registry.lookup", (struct bench_options){ .budget_ms = 2500 }, look_up,
              &(bench_part *){ look_keys_up });
    run_registering("registry.register_key", register_keys);
    free(names);
}
