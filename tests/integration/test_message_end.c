/* test_message_end.c - messages that their receiver never received: at its end each is dropped,
 * once, whatever the drop functions of the others do, and before links and monitors hear of it. */
#include <coppice/coppice.h>

#include <stdint.h>
#include <stdlib.h>

#include "node.h"
#include "trace.h"
#include "watch.h"
#include "ways_to_crash.h"

COP_MESSAGE(go, COP_EMPTY);

static int made, dropped;
static cop_pid mortal;

static void drop_danger(void *payload);
COP_MESSAGE_WITH(danger, { int n; char way; }, drop_danger);

/* One for each letter: what its drop function does. */
static void send_dangers(cop_pid to, const char *dangers)
{
    for (int i = 0; dangers[i] != '\0'; i++) {
        made++;
        cop_send(to, danger, .n = i + 1, .way = dangers[i]);
    }
}

static const char *state_of_mortal(void)
{
    bool named = !cop_pid_is_none(cop_whereis("mortal"));
    return cop_is_alive(mortal) ? named ? ": alive and named" : ": alive"
                                : named ? ": named" : ": gone";
}

static void drop_danger(void *payload)
{
    const danger *dropping = payload;
    dropped++;
    trace("    %d %c%s", dropping->n, dropping->way,
          dropping->way == 'a' ? state_of_mortal() : "");
    switch (dropping->way) {
    case 'f': crash_null_write(); break;
    case 'r': cop_raise("in a drop function");
    case 'e': cop_exit(cop_reason_atom("early"));
    case 'w': cop_sleep(1); break;                 /* must not, and ends here */
    case 's': send_dangers(mortal, "frewa"); break;
    default: break;
    }
}

static void expect_story(cop_function *story, const char *expected)
{
    trace_reset();
    made = dropped = 0;
    ck_assert_int_eq(run_node(story, NULL), 0);
    trace_expect(expected);
    ck_assert_int_eq(made, dropped);
}

/* ---- each ends but itself -------------------------------------------------------------------- */

static void dies_before_it_receives(void *argument)
{
    send_dangers(cop_self(), "frew.");
    switch ((intptr_t)argument) {
    case 0: return;
    case 1: cop_exit(cop_reason_atom("boom")); break;
    default: crash_null_write();
    }
}

static void dies_before_its_timer(void *argument)
{
    (void)argument;
    made++;
    cop_send_after(cop_self(), 1000, danger, .n = 1, .way = 'f');
}

static void watches_unreceived_dangers(void *argument)
{
    (void)argument;
    trace_end_of("returned", dies_before_it_receives, (void *)0);
    trace_end_of("exited", dies_before_it_receives, (void *)1);
    trace_end_of("crashed", dies_before_it_receives, (void *)2);
    trace_end_of("with a timer", dies_before_its_timer, NULL);
    ck_assert_uint_eq(cop_process_count(), 1);
}

#define ALL_DANGERS "    1 f\n    2 r\n    3 e\n    4 w\n    5 .\n"

START_TEST(drop_functions_of_unreceived_messages_crash_without_harm)
{
    expect_story(watches_unreceived_dangers, ALL_DANGERS "returned down: normal\n"
                                             ALL_DANGERS "exited down: boom\n"
                                             ALL_DANGERS "crashed down: crash:SIGSEGV\n"
                                             "    1 f\n"
                                             "with a timer down: normal\n");
}
END_TEST

/* ---- what others hear ------------------------------------------------------------------------ */

static void waits_for_its_end(void *argument)
{
    (void)argument;
    cop_register("mortal");
    cop_receive_type(go, COP_INFINITY);
}

static void is_linked_to_the_mortal(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    cop_link(mortal);
    trace_exit_from("the mortal", mortal);
}

/* In the order in which it comes. */
static void trace_what_comes(void)
{
    const cop_message *message = cop_receive(COP_INFINITY);
    const cop_exit_message *exit = cop_get(message, cop_exit_message);
    if (exit != NULL)
        trace("exit: %s", reason_text(exit->reason));
    else
        trace("down: %s", reason_text(cop_expect(message, cop_down_message)->reason));
}

/* Behind the kill all is for the dead.  What 's' sends, while its receiver is being cleaned up, is
 * found when nothing more can be sent to it. */
static void sends_behind_a_kill(void *argument)
{
    (void)argument;
    cop_ref ref;
    cop_trap_exit(true);
    mortal = cop_spawn_monitor(waits_for_its_end, NULL, 0, &ref);
    cop_spawn(is_linked_to_the_mortal, NULL, 0);
    settle();
    cop_exit_process(mortal, COP_KILL);
    send_dangers(mortal, "fa");
    cop_monitor(mortal);
    send_dangers(mortal, "se");
    cop_link(mortal);
    for (int i = 0; i < 3; i++) trace_what_comes();
    expect_empty_mailbox();
    ck_assert_uint_eq(cop_process_count(), 1);
}

START_TEST(links_and_monitors_hear_the_reason_after_all_drop_functions_have_run)
{
    expect_story(sends_behind_a_kill, "    1 f\n"
                                      "    2 a: alive and named\n"
                                      "    1 s\n"
                                      "    2 e\n"
                                      "    1 f\n    2 r\n    3 e\n    4 w\n"
                                      "    5 a: gone\n"
                                      "down: noproc\n"
                                      "exit: noproc\n"
                                      "down: killed\n"
                                      "exit from the mortal: killed\n");
}
END_TEST

static Suite *message_end_suite(void)
{
    Suite *suite = suite_create("message_end");
    TCase *tests = tcase_create("message_end");
    tcase_add_test(tests, drop_functions_of_unreceived_messages_crash_without_harm);
    tcase_add_test(tests, links_and_monitors_hear_the_reason_after_all_drop_functions_have_run);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(message_end_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
