/* test_supervisor.c - a supervisor's start, its end, and how it stops its children. */
#include <coppice/coppice.h>

#include <stdlib.h>
#include <string.h>

#include "node.h"
#include "top.h"

static struct worker a, b, c, d;

/* ---- start and end ----------------------------------------------------------------- */

static void starts_and_stops(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { WORKER(a), WORKER(b), WORKER(c) };
    a.traps = b.traps = c.traps = true;
    try_top(&(cop_supervisor){ COP_CHILDREN(children) });
    end_top();
    ck_assert_uint_eq(cop_process_count(), 1);
}

START_TEST(children_start_in_order_and_stop_in_reverse_order)
{
    expect_story(starts_and_stops, "a.1 starts\n"
                                   "b.1 starts\n"
                                   "c.1 starts\n"
                                   "top: ok\n"
                                   "c.1 stops: shutdown\n"
                                   "c.1 is gone\n"
                                   "b.1 stops: shutdown\n"
                                   "b.1 is gone\n"
                                   "a.1 stops: shutdown\n"
                                   "a.1 is gone\n"
                                   "top down: shutdown\n");
}
END_TEST

static void starts_empty(void *argument)
{
    (void)argument;
    try_top(&(cop_supervisor){ 0 });
    trace_children(TOP);
    end_top();
}

START_TEST(a_supervisor_without_children_runs)
{
    expect_story(starts_empty, "top: ok\n"
                               "children: none; 0 specs, 0 active, 0 supervisors, 0 workers\n"
                               "top down: shutdown\n");
}
END_TEST

static void second_fails(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { WORKER(a), WORKER(b), WORKER(c), WORKER(d) };
    a.traps = b.traps = true;
    c.starts = "e";
    try_top(&(cop_supervisor){ COP_CHILDREN(children) });
    ck_assert(!is_up("top"));
    ck_assert_uint_eq(cop_process_count(), 1);
    ck_assert_uint_eq(cop_mailbox_length(), 0);
}

START_TEST(when_a_child_fails_to_start_those_before_it_are_stopped_and_those_after_never_start)
{
    expect_story(second_fails, "a.1 starts\n"
                               "b.1 starts\n"
                               "c.1 fails\n"
                               "report: start_error c: boom\n"
                               "b.1 stops: shutdown\n"
                               "b.1 is gone\n"
                               "a.1 stops: shutdown\n"
                               "a.1 is gone\n"
                               "top: start_failed shutdown:failed_to_start_child:c:boom\n");
}
END_TEST

static void some_ignore(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = {
        WORKER(a), WORKER(b), WORKER(c, .restart = COP_TEMPORARY) };
    a.starts = c.starts = "i";
    try_top(&(cop_supervisor){ COP_CHILDREN(children) });
    trace_children(TOP);
    end_top();
}

START_TEST(a_child_that_ignores_its_start_is_kept_down_and_a_temporary_one_is_forgotten)
{
    expect_story(some_ignore, "a.1 ignores\n"
                              "b.1 starts\n"
                              "c.1 ignores\n"
                              "top: ok\n"
                              "children: b up, a down; 2 specs, 1 active, 0 supervisors, "
                              "2 workers\n"
                              "b.1 is gone\n"
                              "top down: shutdown\n");
}
END_TEST

static cop_next choose_children(struct cop_supervisor *flags, const void *argument)
{
    const char *choice = argument;
    if (strcmp(choice, "ignore") == 0) return cop_ignore();
    if (strcmp(choice, "stop") == 0) return cop_stop(cop_reason_atom("no_disk"));
    static const cop_child_spec children[] = { WORKER(a), WORKER(b) };
    flags->children = children;
    flags->child_count = (size_t)atol(choice);
    return cop_ok();
}

static void start_with_init(const char *choice)
{
    const cop_supervisor supervisor = { .init = choose_children };
    cop_started started = cop_supervisor_start_link(&supervisor, .argument = choice,
                                                    .argument_size = strlen(choice) + 1);
    trace_started(choice, started);
    ck_assert_uint_eq(cop_mailbox_length(), 0);
    if (started.error == COP_OK)
        ck_assert_int_eq(cop_supervisor_stop(cop_to(started.pid), COP_SHUTDOWN), COP_OK);
}

static void starts_with_init(void *argument)
{
    (void)argument;
    start_with_init("ignore");
    start_with_init("stop");
    start_with_init("1");
}

START_TEST(init_chooses_the_children_or_ignores_or_stops)
{
    expect_story(starts_with_init, "ignore: ignore\n"
                                   "stop: start_failed no_disk\n"
                                   "a.1 starts\n"
                                   "1: ok\n"
                                   "a.1 is gone\n");
}
END_TEST

static void try_children(const char *what, enum cop_auto_shutdown auto_shutdown,
                         const cop_child_spec *last)
{
    const cop_child_spec children[] = { WORKER(a), *last };
    const cop_supervisor supervisor = { .auto_shutdown = auto_shutdown, COP_CHILDREN(children) };
    cop_started started = cop_supervisor_start_link(&supervisor);
    trace_started(what, started);
    ck_assert_uint_eq(cop_process_count(), 1);
}

static void starts_with_faults(void *argument)
{
    (void)argument;
    try_children("no id", COP_NEVER, &(cop_child_spec){ .start = worker_start });
    try_children("no start", COP_NEVER, &(cop_child_spec){ .id = "b" });
    try_children("same id", COP_NEVER, &(cop_child_spec)WORKER(a));
    try_children("permanent and significant", COP_ANY_SIGNIFICANT,
                 &(cop_child_spec)WORKER(b, .significant = true));
    try_children("significant for nothing", COP_NEVER,
                 &(cop_child_spec)WORKER(b, .significant = true, .restart = COP_TEMPORARY));
    try_children("negative time", COP_NEVER,
                 &(cop_child_spec)WORKER(b, .shutdown = COP_SHUTDOWN_MS(-1)));
    trace_started("period 0", cop_supervisor_start_link(&(cop_supervisor){
                                  .intensity = COP_MAX_RESTARTS(1, 0) }));
    trace_started("strategy 3", cop_supervisor_start_link(&(cop_supervisor){
                                    .strategy = (enum cop_strategy)3 }));
    trace_started("NULL", cop_supervisor_start_opt(NULL, &(cop_start_options){ 0 }));
    ck_assert_uint_eq(cop_mailbox_length(), 0);
}

START_TEST(a_table_with_a_fault_starts_nothing_and_says_what_is_wrong)
{
    expect_story(starts_with_faults,
                 "no id: badarg start_spec:missing_id\n"
                 "no start: badarg start_spec:missing_start:b\n"
                 "same id: duplicate_child_name start_spec:duplicate_child_name:a\n"
                 "permanent and significant: badarg start_spec:bad_combination:b\n"
                 "significant for nothing: badarg start_spec:bad_combination:b\n"
                 "negative time: badarg start_spec:invalid_shutdown:b\n"
                 "period 0: badarg supervisor_data:invalid_period\n"
                 "strategy 3: badarg supervisor_data:invalid_strategy\n"
                 "NULL: badarg\n");
}
END_TEST

static void starts_twice(void *argument)
{
    (void)argument;
    try_top(&(cop_supervisor){ 0 });
    cop_started again = cop_supervisor_start_link(&(cop_supervisor){ .name = "top" });
    ck_assert(cop_pid_equal(again.pid, cop_whereis("top")));
    trace_started("again", again);
    end_top();
}

START_TEST(a_name_that_is_taken_gives_already_started)
{
    expect_story(starts_twice, "top: ok\n"
                               "again: already_started\n"
                               "top down: shutdown\n");
}
END_TEST

static void plain_child(void *argument)
{
    trace("plain child has %s", (const char *)argument);
    cop_init_ack();
    cop_sleep(COP_INFINITY);
}

static const cop_supervisor inner = { .name = "inner" };

static void starts_plain_children(void *argument)
{
    (void)argument;
    const cop_child_spec children[] = {
        { .id = "plain", .start = cop_child_function, .module = (const void *)plain_child,
          .argument = "words", .argument_size = 6 },
        COP_CHILD_SUPERVISOR(inner),
    };
    try_top(&(cop_supervisor){ COP_CHILDREN(children) });
    ck_assert(is_up("inner"));
    trace_children(TOP);
    end_top();
    ck_assert(!is_up("inner"));
}

START_TEST(plain_functions_and_supervisors_are_children_too)
{
    expect_story(starts_plain_children,
                 "plain child has words\n"
                 "top: ok\n"
                 "children: inner up, plain up; 2 specs, 2 active, 1 supervisors, 1 workers\n"
                 "top down: shutdown\n");
}
END_TEST

/* ---- the end of a supervisor ------------------------------------------------------- */

static void parent(void *reason)
{
    static const cop_child_spec children[] = { WORKER(a), WORKER(b) };
    a.traps = b.traps = true;
    cop_trap_exit(true);
    try_top(&(cop_supervisor){ COP_CHILDREN(children) });
    cop_exit(cop_reason_atom(reason));
}

static void parent_ends(void *argument)
{
    (void)argument;
    cop_spawn(parent, "normal", 7);
    settle();
    ck_assert_uint_eq(cop_process_count(), 1);
}

START_TEST(a_supervisor_ends_with_its_parent_even_if_that_ends_normally)
{
    expect_story(parent_ends, "a.1 starts\n"
                              "b.1 starts\n"
                              "top: ok\n"
                              "b.1 stops: shutdown\n"
                              "b.1 is gone\n"
                              "a.1 stops: shutdown\n"
                              "a.1 is gone\n");
}
END_TEST

static void is_stopped(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { WORKER(a), WORKER(b) };
    try_top(&(cop_supervisor){ COP_CHILDREN(children) });
    trace_error("stop", cop_supervisor_stop(TOP, cop_reason_atom("enough")));
    trace_error("stop again", cop_supervisor_stop(TOP, COP_SHUTDOWN));
}

START_TEST(stop_ends_a_supervisor_in_order_with_the_reason_given)
{
    expect_story(is_stopped, "a.1 starts\n"
                             "b.1 starts\n"
                             "top: ok\n"
                             "b.1 is gone\n"
                             "a.1 is gone\n"
                             "stop: ok\n"
                             "stop again: noproc\n");
}
END_TEST

static void is_killed(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { WORKER(a), WORKER(b) };
    b.traps = true;
    try_top(&(cop_supervisor){ COP_CHILDREN(children) });
    cop_ref end = cop_monitor(top_pid);
    cop_exit_process(top_pid, COP_KILL);
    trace_down("top", end);
    settle();
    ck_assert_uint_eq(cop_process_count(), 1);
}

START_TEST(the_children_of_a_killed_supervisor_die_by_their_links)
{
    expect_story(is_killed, "a.1 starts\n"
                            "b.1 starts\n"
                            "top: ok\n"
                            "top down: killed\n"
                            "b.1 stops: killed\n"
                            "b.1 is gone\n"
                            "a.1 is gone\n");
}
END_TEST

/* A child that hangs when it is to stop, and how long that takes. */
static void stops_within(const cop_child_spec *spec)
{
    try_top(&(cop_supervisor){ .children = spec, .child_count = 1 });
    int64_t start_ms = cop_now_ms();
    end_top();
    trace("after %lld ms", (long long)(cop_now_ms() - start_ms));
}

static void stops_in_all_ways(void *argument)
{
    (void)argument;
    a.traps = true;
    stops_within(&(cop_child_spec)WORKER(a, .shutdown = COP_BRUTAL_KILL));
    a.lingers_ms = 400;
    stops_within(&(cop_child_spec)WORKER(a, .shutdown = COP_SHUTDOWN_MS(300)));
    stops_within(&(cop_child_spec)WORKER(a, .shutdown = COP_SHUTDOWN_MS(500)));
    stops_within(&(cop_child_spec)WORKER(a, .shutdown = COP_SHUTDOWN_MS(0)));
    a.lingers_ms = 6000;
    stops_within(&(cop_child_spec)WORKER(a));
    stops_within(&(cop_child_spec)WORKER(a, .type = COP_SUPERVISOR));
    stops_within(&(cop_child_spec)WORKER(a, .shutdown = COP_SHUTDOWN_INFINITY));
}

START_TEST(a_child_has_the_time_that_its_spec_gives_it_and_is_killed_then)
{
    expect_story(stops_in_all_ways, "a.1 starts\n"            /* brutal kill */
                                    "top: ok\n"
                                    "a.1 is gone\n"
                                    "top down: shutdown\n"
                                    "after 0 ms\n"
                                    "a.2 starts\n"            /* 300 ms are not enough */
                                    "top: ok\n"
                                    "a.2 stops: shutdown\n"
                                    "a.2 is gone\n"
                                    "report: shutdown_error a: killed\n"
                                    "top down: shutdown\n"
                                    "after 300 ms\n"
                                    "a.3 starts\n"            /* 500 ms are */
                                    "top: ok\n"
                                    "a.3 stops: shutdown\n"
                                    "a.3 is gone\n"
                                    "top down: shutdown\n"
                                    "after 400 ms\n"
                                    "a.4 starts\n"            /* none at all */
                                    "top: ok\n"
                                    "a.4 is gone\n"
                                    "report: shutdown_error a: killed\n"
                                    "top down: shutdown\n"
                                    "after 0 ms\n"
                                    "a.5 starts\n"            /* a worker has 5 s */
                                    "top: ok\n"
                                    "a.5 stops: shutdown\n"
                                    "a.5 is gone\n"
                                    "report: shutdown_error a: killed\n"
                                    "top down: shutdown\n"
                                    "after 5000 ms\n"
                                    "a.6 starts\n"            /* a supervisor has no limit */
                                    "top: ok\n"
                                    "a.6 stops: shutdown\n"
                                    "a.6 is gone\n"
                                    "top down: shutdown\n"
                                    "after 6000 ms\n"
                                    "a.7 starts\n"            /* nor has this */
                                    "top: ok\n"
                                    "a.7 stops: shutdown\n"
                                    "a.7 is gone\n"
                                    "top down: shutdown\n"
                                    "after 6000 ms\n");
}
END_TEST

static void stop_oddly(enum cop_restart restart, const char *last_words)
{
    a.last_words = last_words;
    const cop_child_spec children[] = { WORKER(a, .restart = restart) };
    try_top(&(cop_supervisor){ COP_CHILDREN(children) });
    trace_error("stop", cop_supervisor_stop(TOP, COP_SHUTDOWN));
}

static void stops_oddly(void *argument)
{
    (void)argument;
    a.traps = true;
    stop_oddly(COP_PERMANENT, "odd");
    stop_oddly(COP_PERMANENT, "normal");
    stop_oddly(COP_TRANSIENT, "normal");
}

START_TEST(a_child_that_ends_otherwise_than_told_is_reported)
{
    expect_story(stops_oddly, "a.1 starts\n"
                              "top: ok\n"
                              "a.1 stops: shutdown\n"
                              "a.1 is gone\n"
                              "report: shutdown_error a: odd\n"
                              "stop: ok\n"
                              "a.2 starts\n"
                              "top: ok\n"
                              "a.2 stops: shutdown\n"
                              "a.2 is gone\n"
                              "report: shutdown_error a: normal\n"
                              "stop: ok\n"
                              "a.3 starts\n"
                              "top: ok\n"
                              "a.3 stops: shutdown\n"
                              "a.3 is gone\n"
                              "stop: ok\n");
}
END_TEST

static void has_a_naughty_child(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { WORKER(a), WORKER(b) };
    a.unlinks = true;
    try_top(&(cop_supervisor){ COP_CHILDREN(children) });
    trace_error("terminate", cop_supervisor_terminate_child(TOP, "a"));
    trace_started("restart", cop_supervisor_restart_child(TOP, "a"));
    worker_kill("a");
    trace_children(TOP);               /* nobody told the supervisor */
    end_top();
}

START_TEST(a_child_that_has_unlinked_itself_is_stopped_all_the_same_but_its_death_goes_unnoticed)
{
    expect_story(has_a_naughty_child,
                 "a.1 starts\n"
                 "b.1 starts\n"
                 "top: ok\n"
                 "a.1 is gone\n"
                 "terminate: ok\n"
                 "a.2 starts\n"
                 "restart: ok\n"
                 "a.2 is gone\n"
                 "children: b up, a up; 2 specs, 1 active, 0 supervisors, 2 workers\n"
                 "b.1 is gone\n"
                 "report: shutdown_error a: child_process_unlinked\n"
                 "top down: shutdown\n");
}
END_TEST

/* All have ended before the supervisor gets to stop them: it hears of the end of its parent
 * first, and of why they ended only then. */
static void all_die_at_once(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = {
        WORKER(a), WORKER(b, .restart = COP_TRANSIENT), WORKER(c), WORKER(d) };
    try_top(&(cop_supervisor){ COP_CHILDREN(children) });
    cop_exit_process(top_pid, COP_SHUTDOWN);
    cop_exit_process(cop_whereis("a"), COP_SHUTDOWN);
    cop_exit_process(cop_whereis("b"), cop_reason_tuple("shutdown", cop_reason_atom("x")));
    cop_exit_process(cop_whereis("c"), cop_reason_tuple("shutdown", cop_reason_atom("x")));
    cop_exit_process(cop_whereis("d"), cop_reason_atom("boom"));
    trace_end("top", top_pid);
}

START_TEST(the_reason_of_a_child_that_died_before_it_was_stopped_is_not_lost)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        run_shuffled(all_die_at_once, seed);
        const char *story = trace_text();
        ck_assert_ptr_nonnull(strstr(story, "report: shutdown_error c: shutdown:x\n"));
        ck_assert_ptr_nonnull(strstr(story, "report: shutdown_error d: boom\n"));
        ck_assert_ptr_null(strstr(story, "shutdown_error a"));
        ck_assert_ptr_null(strstr(story, "shutdown_error b"));
        ck_assert_ptr_null(strstr(story, "starts\nreport"));
        ck_assert_ptr_nonnull(strstr(story, "top down: shutdown\n"));
    }
}
END_TEST

/* ---- the suite --------------------------------------------------------------------- */

static Suite *supervisor_suite(void)
{
    Suite *suite = suite_create("supervisor");
    TCase *tests = tcase_create("supervisor");
    tcase_add_test(tests, children_start_in_order_and_stop_in_reverse_order);
    tcase_add_test(tests, a_supervisor_without_children_runs);
    tcase_add_test(
        tests,
        when_a_child_fails_to_start_those_before_it_are_stopped_and_those_after_never_start);
    tcase_add_test(tests,
                   a_child_that_ignores_its_start_is_kept_down_and_a_temporary_one_is_forgotten);
    tcase_add_test(tests, init_chooses_the_children_or_ignores_or_stops);
    tcase_add_test(tests, a_table_with_a_fault_starts_nothing_and_says_what_is_wrong);
    tcase_add_test(tests, a_name_that_is_taken_gives_already_started);
    tcase_add_test(tests, plain_functions_and_supervisors_are_children_too);
    tcase_add_test(tests, a_supervisor_ends_with_its_parent_even_if_that_ends_normally);
    tcase_add_test(tests, stop_ends_a_supervisor_in_order_with_the_reason_given);
    tcase_add_test(tests, the_children_of_a_killed_supervisor_die_by_their_links);
    tcase_add_test(tests, a_child_has_the_time_that_its_spec_gives_it_and_is_killed_then);
    tcase_add_test(tests, a_child_that_ends_otherwise_than_told_is_reported);
    tcase_add_test(
        tests,
        a_child_that_has_unlinked_itself_is_stopped_all_the_same_but_its_death_goes_unnoticed);
    tcase_add_test(tests, the_reason_of_a_child_that_died_before_it_was_stopped_is_not_lost);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(supervisor_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
