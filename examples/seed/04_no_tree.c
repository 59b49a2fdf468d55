/* 04_no_tree.c - Problem 3: everything on one level, watched by one process: no isolation, no
 * order. */
#include "cast.h"

static cop_pid start_subsystem(const cop_gen_server *server)
{
    return cop_gen_server_start_link(server).pid;    /* how to supervise inside of it? */
}

static void story(void *argument)
{
    (void)argument;
    cop_trap_exit(true);                             /* else the links would end this one, too */
    cop_pid db_pid = start_subsystem(&database_pool);
    cop_pid subsystems[] = { start_subsystem(&payment_processor),
                             start_subsystem(&donation_processor),
                             start_subsystem(&notification_service) };
    cop_ref db_ref = cop_monitor(db_pid);
    for (int i = 0; i < 3; i++)
        cop_monitor(subsystems[i]);

    crash("database_pool");                          /* should stop everything that needs it */
    cop_receive_match(&(cop_match){ .ref = db_ref }, COP_INFINITY);
    int still_running = 0;
    for (int i = 0; i < 3; i++)
        still_running += cop_is_alive(subsystems[i]);
    printf("the database is gone; %d subsystems go on without it\n", still_running);
}

PLAY(story)
