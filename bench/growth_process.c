/* growth_process.c - many processes, names, links, monitors and messages in one mailbox. */
#include <stdio.h>

#include "growth.h"
#include "harness.h"

enum { NAME_SIZE = 32 };

COP_MESSAGE(item, { long i; });

static void kill_all(const cop_pid *pids, long n, size_t left)
{
    for (long i = 0; i < n; i++)
        cop_exit_process(pids[i], COP_KILL);
    growth_await_count(left);
}

void growth_processes(long n)
{
    size_t before = cop_process_count();
    const long *order = growth_shuffled(n);
    growth_begin();
    cop_pid *pids = growth_idle_processes(n, false);
    growth_step("spawn", n);
    for (long i = 0; i < n; i++) {
        cop_send(pids[order[i]], item, .i = i);
        if (i % 1000 == 999)
            cop_yield();
    }
    growth_step("message to each", n);
    kill_all(pids, n, before);
    growth_step("kill", n);
}

/* ---- names: a process for each -------------------------------------------------------------- */

static void on_message(void *state, cop_message *message)
{
    (void)state;
    (void)message;
}

static void take_name(void *argument)
{
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "name-%ld", *(long *)argument);
    bench_check(cop_register(name) == 0);
    cop_become(on_message, NULL);
}

void growth_names(long n)
{
    size_t before = cop_process_count();
    const long *order = growth_shuffled(n);
    cop_pid *pids = cop_alloc((size_t)n * sizeof *pids);
    growth_begin();
    for (long i = 0; i < n; i++) {
        pids[i] = cop_spawn(take_name, &i, sizeof i);
        if (i % 1000 == 999)
            cop_yield();
    }
    growth_step("spawn and register", n);
    for (long i = 0; i < n; i++) {
        char name[NAME_SIZE];
        snprintf(name, sizeof name, "name-%ld", order[i]);
        bench_check(cop_pid_equal(cop_whereis(name), pids[order[i]]));
    }
    growth_step("look up", n);
    kill_all(pids, n, before);
    growth_step("kill, name released", n);
}

/* ---- links and monitors of one process ------------------------------------------------------ */

/* Links, unlinks half of them, and ends, which ends the other half. */
static void be_linked(void *argument)
{
    long n = *(long *)argument;
    const long *order = growth_shuffled(n);
    growth_begin();
    cop_pid *pids = growth_idle_processes(n, true);
    growth_step("spawn_link", n);
    for (long i = 0; i < n / 2; i++)
        cop_unlink(pids[order[i]]);
    growth_step("unlink", n / 2);
    for (long i = 0; i < n / 2; i++)
        cop_exit_process(pids[order[i]], COP_KILL);
    cop_yield();
    growth_begin();
    cop_exit(cop_reason_atom("over"));
}

void growth_links(long n)
{
    size_t before = cop_process_count();
    cop_ref ref;
    cop_spawn_monitor(be_linked, &n, sizeof n, &ref);
    bench_check(cop_receive_match(&(cop_match){ .ref = ref }, COP_INFINITY) != NULL);
    growth_await_count(before);
    growth_step("end, with those linked", n - n / 2);
}

void growth_monitors(long n)
{
    size_t before = cop_process_count();
    const long *order = growth_shuffled(n);
    cop_ref *refs = cop_alloc((size_t)n * sizeof *refs);
    cop_pid *pids = growth_idle_processes(n, false);
    growth_begin();
    for (long i = 0; i < n; i++)
        refs[i] = cop_monitor(pids[i]);
    growth_step("monitor", n);
    for (long i = 0; i < n / 2; i++)
        bench_check(cop_demonitor(refs[order[i]]));
    growth_step("demonitor", n / 2);
    for (long i = n / 2; i < n; i++)
        cop_exit_process(pids[order[i]], COP_KILL);
    for (long i = n / 2; i < n; i++)
        bench_check(cop_receive_type(cop_down_message, COP_INFINITY) != NULL);
    growth_step("kill and down message", n - n / 2);
    kill_all(pids, n, before);
}

/* ---- messages that wait ---------------------------------------------------------------------- */

static void receive_down_of(cop_pid nobody)
{
    cop_match match = { .ref = cop_monitor(nobody) };
    bench_check(cop_receive_match(&match, COP_INFINITY) != NULL);
}

void growth_messages(long n)
{
    enum { RECEIVES = 1000 };
    cop_pid nobody = *growth_idle_processes(1, false);
    kill_all(&nobody, 1, cop_process_count() - 1);
    growth_begin();
    for (long i = 0; i < n; i++)
        cop_send(cop_self(), item, .i = i);
    growth_step("send", n);
    bench_check(cop_mailbox_length() == (size_t)n);
    receive_down_of(nobody);      /* what has come is put in order once */
    growth_step("first look", n);
    for (long i = 0; i < RECEIVES; i++)
        receive_down_of(nobody);
    growth_step("receive by reference", RECEIVES);
    for (long i = 0; i < n; i++)
        bench_check(cop_expect(cop_receive(COP_INFINITY), item)->i == i);
    growth_step("receive", n);
    bench_check(cop_mailbox_length() == 0);
}
