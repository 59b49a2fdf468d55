/* growth_table.c - many timers, many keys of a registry, many children of one supervisor. */
#include <stdio.h>

#include "growth.h"
#include "harness.h"
#include "victim.h"

enum { KEY_SIZE = 32 };

COP_MESSAGE(rang, COP_EMPTY);

void growth_timers(long n)
{
    const long *order = growth_shuffled(n);
    cop_ref *timers = cop_alloc((size_t)n * sizeof *timers);
    growth_begin();
    for (long i = 0; i < n; i++)
        timers[i] = cop_send_after(cop_self(), 600000 + order[i], rang);
    growth_step("set", n);
    for (long i = 0; i < n; i++)
        bench_check(cop_cancel_timer(timers[order[n - 1 - i]]) >= 0);
    growth_step("cancel", n);
    int64_t due = cop_now_ms() + 1 + n / 500;
    for (long i = 0; i < n; i++)
        cop_send_after(cop_self(), due - cop_now_ms(), rang);
    while (cop_now_ms() < due)
        ;
    growth_begin();
    for (long i = 0; i < n; i++)
        bench_check(cop_receive_type(rang, COP_INFINITY) != NULL);
    growth_step("fire", n);
}

/* ---- keys of one process -------------------------------------------------------------------- */

static const cop_registry registry = { .name = "growth_registry" };

static const char *key_of(long i, char *buffer)
{
    snprintf(buffer, KEY_SIZE, "key-%ld", i);
    return buffer;
}

void growth_keys(long n)
{
    char key[KEY_SIZE];
    const long *order = growth_shuffled(n);
    bench_check(cop_registry_start_link(&registry).error == 0);
    growth_begin();
    for (long i = 0; i < n; i++)
        bench_check(cop_registry_register(&registry, key_of(i, key), .number = i) == 0);
    growth_step("register", n);
    for (long i = 0; i < n; i++) {
        cop_registry_value value;
        bench_check(!cop_pid_is_none(
            cop_registry_whereis(&registry, key_of(order[i], key), &value)));
        bench_check(value.number == order[i]);
    }
    growth_step("look up", n);
    for (long i = 0; i < n / 2; i++)
        bench_check(cop_registry_unregister(&registry, key_of(order[i], key)) == 0);
    growth_step("unregister", n / 2);
    bench_check(cop_registry_count(&registry) == (size_t)(n - n / 2));
    cop_exit(cop_reason_atom("shutdown"));       /* its registry ends with it */
}

/* ---- children ------------------------------------------------------------------------------- */

void growth_dynamic_children(long n)
{
    static const cop_child_spec child = COP_CHILD_SERVER(victim);
    static const cop_dynamic_supervisor children = { .intensity = VICTIM_INTENSITY,
                                                     .template_ = &child };
    static _Atomic long started;
    struct victim_argument argument = { .counter = &started };
    const long *order = growth_shuffled(n);
    size_t before = cop_process_count();
    cop_pid *pids = cop_alloc((size_t)n * sizeof *pids);
    cop_started top = cop_dynamic_supervisor_start_link(&children);
    bench_check(top.error == 0);
    cop_dest to = cop_to(top.pid);
    started = 0;
    growth_begin();
    for (long i = 0; i < n; i++) {
        cop_started one = cop_dynamic_supervisor_start_from(to, &argument, sizeof argument);
        bench_check(one.error == 0);
        pids[i] = one.pid;
    }
    growth_step("start_child", n);
    for (long i = 0; i < n / 2; i++)
        bench_check(cop_dynamic_supervisor_terminate_child(to, pids[order[i]]) == 0);
    growth_step("terminate_child", n / 2);
    for (long i = n / 2; i < n / 2 + n / 10; i++)
        victim_strike(pids[order[i]], WAY_CRASH);
    while (started < n + n / 10)
        cop_yield();
    growth_step("crash and restart", n / 10);
    cop_child_counts counts;
    bench_check(cop_dynamic_supervisor_count_children(to, &counts) == 0);
    bench_check(counts.active == (size_t)(n - n / 2));
    growth_begin();
    bench_stop(top.pid);
    growth_step("stop with the supervisor", n - n / 2);
    growth_await_count(before);
}

/* The one in the middle crashes, 100 times. */
void growth_fixed_children(long n)
{
    enum { CRASHES = 100 };
    size_t before = cop_process_count();
    cop_child_spec *specs = victim_specs((size_t)n);
    victim_argument_of(&specs[n / 2])->owner = cop_self();
    const cop_supervisor supervisor = { .intensity = VICTIM_INTENSITY, .children = specs,
                                        .child_count = (size_t)n };
    growth_begin();
    cop_started top = cop_supervisor_start_link(&supervisor);
    bench_check(top.error == 0);
    growth_step("start", n);
    for (int i = 0; i < CRASHES; i++)
        victim_strike(cop_receive_type(child_started, COP_INFINITY)->pid, WAY_CRASH);
    bench_check(cop_receive_type(child_started, COP_INFINITY) != NULL);
    growth_step("crash and restart", CRASHES);
    bench_stop(top.pid);
    growth_step("stop with the supervisor", n);
    growth_await_count(before);
}
