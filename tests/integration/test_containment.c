/* test_containment.c - what a process does wrong, besides crashing, ends that process and no other:
 * a block or a message that is not its own any more, a drop function that crashes, raise, fork. */
#include <coppice/coppice.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node.h"
#include "trace.h"
#include "watch.h"

COP_MESSAGE(note, { int n; });

/* ---- messages and blocks that are gone ------------------------------------------------------- */

static void sends_twice(void *argument)
{
    (void)argument;
    cop_message *message = cop_new(note, .n = 1);
    cop_send_message(cop_to(cop_self()), message);
    cop_send_message(cop_to(cop_self()), message);
}

static void frees_after_sending(void *argument)
{
    (void)argument;
    cop_message *message = cop_new(note, .n = 1);
    cop_send_message(cop_to(cop_parent()), message);
    cop_message_free(message);
}

static void frees_twice(void *argument)
{
    (void)argument;
    cop_message *message = cop_new(note, .n = 1);
    cop_message_free(message);
    cop_message_free(message);
}

static void frees_after_a_timer_took_it(void *argument)
{
    (void)argument;
    cop_message *message = cop_new(note, .n = 1);
    cop_send_after_message(cop_to(cop_self()), 1000, message);
    cop_message_free(message);
}

static void handler_frees(void *state, cop_message *message)
{
    (void)state;
    cop_message_free(message);
}

static void frees_what_its_handler_has_not_kept(void *argument)
{
    (void)argument;
    cop_send(cop_self(), note, .n = 1);
    cop_become(handler_frees, NULL);
}

static void frees_a_block_twice(void *argument)
{
    (void)argument;
    void *block = cop_alloc(10);
    cop_free(block);
    cop_free(block);
}

static void frees_a_block_of_malloc(void *argument)
{
    (void)argument;
    static char bytes[64];
    cop_free(bytes + 32);
}

static void takes_back_what_it_received(void *argument)
{
    (void)argument;
    cop_send(cop_self(), note, .n = 1);
    cop_send(cop_self(), note, .n = 2);
    cop_message_free((cop_message *)cop_receive(0));
    ck_assert_int_eq(cop_receive_type(note, 0)->n, 2);
    ck_assert_ptr_null(cop_receive(0));
}

static void uses_what_is_gone(void *argument)
{
    (void)argument;
    trace_end_of("sends twice", sends_twice, NULL);
    trace_end_of("frees after sending", frees_after_sending, NULL);
    trace_end_of("frees twice", frees_twice, NULL);
    trace_end_of("frees a timer's", frees_after_a_timer_took_it, NULL);
    trace_end_of("frees a handler's", frees_what_its_handler_has_not_kept, NULL);
    trace_end_of("frees a block twice", frees_a_block_twice, NULL);
    trace_end_of("frees a foreign block", frees_a_block_of_malloc, NULL);
    trace_end_of("frees what it received", takes_back_what_it_received, NULL);
    ck_assert_uint_eq(cop_process_count(), 1);
}

START_TEST(who_uses_what_is_gone_ends_with_an_error_that_says_so)
{
    trace_reset();
    ck_assert_int_eq(run_node(uses_what_is_gone, NULL), 0);
    trace_expect(
        "sends twice down: error:badarg: cop_send_message: the message was sent or freed already\n"
        "frees after sending down: error:badarg: cop_message_free: the message was sent or freed "
        "already\n"
        "frees twice down: error:badarg: cop_message_free: the message was sent or freed already\n"
        "frees a timer's down: error:badarg: cop_message_free: the message was sent or freed "
        "already\n"
        "frees a handler's down: error:badarg: cop_message_free: the message is the handler's, "
        "not kept\n"
        "frees a block twice down: error:badarg: cop_free: no block of this process, or freed "
        "already\n"
        "frees a foreign block down: error:badarg: cop_free: no block of this process, or freed "
        "already\n"
        "frees what it received down: normal\n");
}
END_TEST

/* ---- drop functions that crash --------------------------------------------------------------- */

static int dropped;

static void drop_and_crash(void *payload)
{
    (void)payload;
    dropped++;
    abort();
}

COP_MESSAGE_WITH(bomb, { int n; }, drop_and_crash);

static void frees_a_bomb(void *argument)
{
    (void)argument;
    cop_message_free(cop_new(bomb, .n = 1));
}

static void dies_with_bombs(void *argument)
{
    (void)argument;
    cop_new(bomb, .n = 1);                              /* made */
    for (int i = 0; i < 3; i++)
        cop_send(cop_self(), bomb, .n = i);
    cop_receive(0);                                     /* received */
    cop_take(NULL, 0);                                  /* taken; one is left in the mailbox */
    cop_send_after(cop_self(), 1000, bomb, .n = 4);     /* a timer's */
}

static void is_killed_with_bombs(void *argument)
{
    dies_with_bombs(argument);
    cop_exit_process(cop_self(), COP_KILL);
}

static void sends_a_bomb_to_the_dead(void *argument)
{
    const cop_pid *dead = argument;
    cop_send(*dead, bomb, .n = 1);
}

static void sends_a_bomb_to_a_dead_alias(void *argument)
{
    (void)argument;
    cop_ref alias = cop_alias(COP_ALIAS_EXPLICIT);
    cop_unalias(alias);
    cop_send(alias, bomb, .n = 1);
    cop_receive(0);
}

static void trace_dropped(void)
{
    trace("    dropped %d", dropped);
    dropped = 0;
}

static void plays_with_bombs(void *argument)
{
    (void)argument;
    trace_end_of("frees one", frees_a_bomb, NULL);
    trace_dropped();
    trace_end_of("dies with some", dies_with_bombs, NULL);
    trace_dropped();
    trace_end_of("is killed with some", is_killed_with_bombs, NULL);
    trace_dropped();
    cop_pid dead = cop_spawn(frees_a_bomb, NULL, 0);
    settle();
    trace_dropped();
    trace_end_of("sends one to the dead", sends_a_bomb_to_the_dead, &dead);
    trace_dropped();
    trace_end_of("sends one to a dead alias", sends_a_bomb_to_a_dead_alias, NULL);
    trace_dropped();
    ck_assert_uint_eq(cop_process_count(), 1);
}

START_TEST(a_drop_function_that_crashes_ends_at_most_its_process_and_is_called_once)
{
    trace_reset();
    ck_assert_int_eq(run_node(plays_with_bombs, NULL), 0);
    trace_expect("frees one down: crash:SIGABRT\n"
                 "    dropped 1\n"
                 "dies with some down: normal\n"
                 "    dropped 5\n"
                 "is killed with some down: killed\n"
                 "    dropped 5\n"
                 "    dropped 1\n"
                 "sends one to the dead down: crash:SIGABRT\n"
                 "    dropped 1\n"
                 "sends one to a dead alias down: crash:SIGABRT\n"
                 "    dropped 1\n");
}
END_TEST

/* ---- raise and fork -------------------------------------------------------------------------- */

static const int fatal_signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };

static void raises(void *argument)
{
    raise(*(const int *)argument);
}

static void raises_each(void *argument)
{
    (void)argument;
    for (size_t i = 0; i < sizeof fatal_signals / sizeof *fatal_signals; i++)
        trace_end_of("raises", raises, (void *)&fatal_signals[i]);
}

START_TEST(a_signal_that_a_process_raises_is_its_own_crash)
{
    trace_reset();
    ck_assert_int_eq(run_node(raises_each, NULL), 0);
    trace_expect("raises down: crash:SIGSEGV\n"
                 "raises down: crash:SIGBUS\n"
                 "raises down: crash:SIGFPE\n"
                 "raises down: crash:SIGILL\n"
                 "raises down: crash:SIGABRT\n");
}
END_TEST

enum child_end { CHILD_EXITS, CHILD_FAULTS, CHILD_RETURNS, CHILD_RECEIVES, CHILD_ENDS };

static void forks(void *argument)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child != 0) {
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        trace("%s", WIFSIGNALED(status)            ? "died of a signal"
                    : WEXITSTATUS(status) == 7     ? "exited with 7"
                                                   : "exited");
        return;
    }
    close(STDERR_FILENO);           /* its last words are of no interest here */
    switch (*(const enum child_end *)argument) {
    case CHILD_EXITS: _exit(7);
    case CHILD_FAULTS: raise(SIGSEGV); break;
    case CHILD_RETURNS: return;
    case CHILD_RECEIVES: cop_receive(0); break;
    case CHILD_ENDS: cop_exit(COP_NORMAL);
    }
    _exit(0);
}

static void forks_for_each_end(void *argument)
{
    (void)argument;
    static const enum child_end ends[] = { CHILD_EXITS, CHILD_FAULTS, CHILD_RETURNS,
                                           CHILD_RECEIVES, CHILD_ENDS };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        trace_end_of("parent", forks, (void *)&ends[i]);
}

START_TEST(a_child_of_fork_never_goes_on_as_a_second_node)
{
    trace_reset();
    ck_assert_int_eq(run_node(forks_for_each_end, NULL), 0);
    trace_expect("exited with 7\n"
                 "parent down: normal\n"
                 "died of a signal\n"
                 "parent down: normal\n"
                 "died of a signal\n"
                 "parent down: normal\n"
                 "died of a signal\n"
                 "parent down: normal\n"
                 "died of a signal\n"
                 "parent down: normal\n");
}
END_TEST

/* ---- a message that came by a timer ---------------------------------------------------------- */

COP_CALL(ask, { int n; }, { int n; });

static cop_next server_init(void *state, const void *argument)
{
    (void)state, (void)argument;
    for (int i = 0; i < 20; i++)
        cop_send_after(cop_self(), 100 + i, note, .n = i);
    return cop_ok();
}

static cop_next server_call(void *state, const cop_message *request, cop_from from)
{
    (void)state, (void)from;
    return cop_reply(ask, .n = cop_expect(request, ask)->n);
}

static cop_next server_info(void *state, const cop_message *message)
{
    expect_that(cop_expect(message, note)->n == (*(int *)state)++);
    return *(int *)state < 20 ? cop_noreply() : cop_stop(COP_NORMAL);
}

static const cop_gen_server server = { .name = "server", .state_size = sizeof(int),
                                       .init = server_init, .handle_call = server_call,
                                       .handle_info = server_info };

/* The serials of its calls are also those of the server's timers. */
static void passes_on_what_timers_send(void *argument)
{
    (void)argument;
    cop_ref ref = cop_monitor(cop_gen_server_start(&server).pid);
    for (int i = 0; i < 12; i++) {
        cop_send_after(cop_self(), 1, ask, .n = i);
        cop_message *reply;
        cop_message *request = cop_take(&(cop_match){ .type = COP_TYPE(ask) }, COP_INFINITY);
        ck_assert_int_eq(cop_call_message(cop_to("server"), request, 1000, &reply, NULL), 0);
        ck_assert_int_eq(cop_expect(reply, ask_reply)->n, i);
        cop_message_free(reply);
    }
    trace_down("server", ref);
}

START_TEST(a_message_that_came_by_a_timer_and_is_passed_on_stops_no_timer_of_its_receiver)
{
    trace_reset();
    ck_assert_int_eq(run_node(passes_on_what_timers_send, NULL), 0);
    trace_expect("server down: normal\n");
}
END_TEST

/* ---- the thread's signal mask ---------------------------------------------------------------- */

static int *volatile nowhere;

static void block(int signal)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static bool is_blocked(int signal)
{
    sigset_t set;
    pthread_sigmask(SIG_BLOCK, NULL, &set);
    return sigismember(&set, signal) == 1;
}

static void looks_at_the_mask(void *unused)
{
    (void)unused;
    trace("SIGTERM is %s, SIGURG is %s", is_blocked(SIGTERM) ? "blocked" : "as it was",
          is_blocked(SIGURG) ? "blocked" : "as it was");
}

static void faults_with_signals_blocked(void *unused)
{
    (void)unused;
    cop_defer(looks_at_the_mask, NULL);
    block(SIGTERM);
    block(SIGURG);
    *nowhere = 1;
}

static void aborts_with_signals_blocked(void *unused)
{
    (void)unused;
    cop_defer(looks_at_the_mask, NULL);
    block(SIGTERM);
    block(SIGURG);
    abort();
}

static void crashes_with_signals_blocked(void *unused)
{
    (void)unused;
    trace_end_of("null", faults_with_signals_blocked, NULL);
    trace_end_of("abort", aborts_with_signals_blocked, NULL);
}

START_TEST(signals_that_a_process_had_blocked_when_it_crashed_are_not_blocked_for_others)
{
    trace_reset();
    ck_assert_int_eq(run_node(crashes_with_signals_blocked, NULL), 0);
    trace_expect("SIGTERM is as it was, SIGURG is as it was\n"
                 "null down: crash:SIGSEGV\n"
                 "SIGTERM is as it was, SIGURG is as it was\n"
                 "abort down: crash:SIGABRT\n");
}
END_TEST

static Suite *containment_suite(void)
{
    Suite *suite = suite_create("containment");
    TCase *tests = tcase_create("containment");
    tcase_add_test(tests, who_uses_what_is_gone_ends_with_an_error_that_says_so);
    tcase_add_test(tests, a_drop_function_that_crashes_ends_at_most_its_process_and_is_called_once);
    tcase_add_test(tests, a_signal_that_a_process_raises_is_its_own_crash);
    tcase_add_test(tests, a_child_of_fork_never_goes_on_as_a_second_node);
    tcase_add_test(tests,
                   a_message_that_came_by_a_timer_and_is_passed_on_stops_no_timer_of_its_receiver);
    tcase_add_test(tests,
                   signals_that_a_process_had_blocked_when_it_crashed_are_not_blocked_for_others);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(containment_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
