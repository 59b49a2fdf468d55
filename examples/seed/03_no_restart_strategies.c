/* 03_no_restart_strategies.c - Problem 2: a monitor says that something ended, not what is to
 * be restarted with it. */
#include "cast.h"

static void story(void *argument)
{
    (void)argument;
    cop_trap_exit(true);                             /* else the links would end this one, too */
    const cop_gen_server *servers[] = { &payment_processor, &notification_service,
                                        &invoice_tracker };
    for (int i = 0; i < 3; i++)
        cop_monitor(cop_gen_server_start_link(servers[i]).pid);

    crash("payment_processor");
    const cop_down_message *down = cop_receive_type(cop_down_message, COP_INFINITY);
    printf("something ended: %s\n", reason_text(down->reason));

    /* Restart only this one?  What was started after it?  All?  The monitor can't say. */
    printf("payment_processor %s\n", cop_pid_is_none(cop_whereis("payment_processor")) ? "is gone"
                                                                                      : "runs");
    printf("invoice_tracker %s\n", cop_pid_is_none(cop_whereis("invoice_tracker")) ? "is gone"
                                                                                  : "runs");
}

PLAY(story)
