/* 14_dynamic_supervisor.c - Children that come and go: started on demand, restarted like any
 * other, stopped by pid. */
#include "cast.h"

#include <string.h>

static cop_next init(void *state, const void *donation_id)
{
    (void)state;
    printf("Processing donation %s\n", (const char *)donation_id);
    return cop_ok();
}

static const cop_gen_server worker = { .label = "donation_worker", .init = init };
static const cop_child_spec template_ = COP_CHILD_SERVER(worker);
static const cop_dynamic_supervisor donation_worker_supervisor = {
    .name = "donation_worker_supervisor", .template_ = &template_,
};

static cop_started start_worker(const char *donation_id)
{
    return cop_dynamic_supervisor_start_from(cop_to("donation_worker_supervisor"), donation_id,
                                             strlen(donation_id) + 1);
}

static int stop_worker(cop_pid pid)
{
    return cop_dynamic_supervisor_terminate_child(cop_to("donation_worker_supervisor"), pid);
}

/* ---- on stage ---- */

static void print_count(const char *when)
{
    cop_child_counts counts;
    cop_dynamic_supervisor_count_children(cop_to("donation_worker_supervisor"), &counts);
    printf("%s: %zu workers\n", when, counts.active);
}

static void story(void *argument)
{
    (void)argument;
    cop_must(cop_dynamic_supervisor_start_link(&donation_worker_supervisor).error);
    cop_started worker1 = start_worker("donation-123"), worker2 = start_worker("donation-456");
    cop_must(worker1.error);
    cop_must(worker2.error);
    print_count("started");
    cop_exit_process(worker2.pid, COP_KILL);         /* restarted by the supervisor */
    settle();
    print_count("after a crash");
    cop_must(stop_worker(worker1.pid));
    print_count("after a stop");
}

PLAY(story)
