/* name_race.c - see name_race.h. */
#include "name_race.h"

#include <coppice/coppice.h>

#include "trace.h"

enum { RACERS = 5 };

COP_MESSAGE(race_result, { int error; cop_pid pid; });

static void stays(void *argument)
{
    (void)argument;
    cop_init_ack();
    cop_receive_type(race_result, COP_INFINITY);
}

static void races(void *argument)
{
    const cop_pid *judge = argument;
    cop_started started = cop_start(stays, &(cop_start_options){ .name = "prize" });
    ck_assert_ptr_null(started.reason);
    ck_assert_uint_eq(cop_mailbox_length(), 0);
    cop_send(*judge, race_result, .error = started.error, .pid = started.pid);
}

/* All look for the name before the first process has it; so all but one of the processes meet
 * it themselves. */
void race_for_a_name(void *argument)
{
    (void)argument;
    cop_pid self = cop_self();
    for (int i = 0; i < RACERS; i++) cop_spawn(races, &self, sizeof self);
    int won = 0;
    for (int i = 0; i < RACERS; i++) {
        const race_result *result = cop_expect(cop_receive(COP_INFINITY), race_result);
        if (result->error == COP_OK) won++;
        else ck_assert_int_eq(result->error, COP_EALREADY_STARTED);
        ck_assert(cop_pid_equal(result->pid, cop_whereis("prize")));
    }
    ck_assert_int_eq(won, 1);
    trace("one won");
}
