/* test_task_stream_end.c - streams whose tasks fail, take too long or are not wanted any more. */
#include <coppice/coppice.h>

#include "streams.h"

/* ---- failures ---------------------------------------------------------------------- */

static cop_message *fails_at_zero(void *argument)
{
    if (*(int *)argument == 0) cop_exit(cop_reason_atom("boom"));
    return squares(argument);
}

static void consumes_failures(void *argument)
{
    (void)argument;
    drain(STREAM(fails_at_zero, LIST(3, 0, 5), .max_concurrency = 1));
}

static void traps_and_consumes_failures(void *argument)
{
    cop_trap_exit(true);
    start_tasks();
    consumes_failures(argument);
    expect_clean();
}

START_TEST(for_a_consumer_that_traps_exits_a_crash_is_an_item_that_knows_its_input)
{
    tell_of_each_kind(traps_and_consumes_failures, "0 of 3: 9\n"
                                                   "1 of 0: down: boom\n"
                                                   "2 of 5: 25\n"
                                                   "closed: ok at 0 ms\n");
}
END_TEST

static void watches_a_consumer(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    start_tasks();
    trace_end_of("consumer", consumes_failures, NULL);
    expect_clean();
}

START_TEST(a_crash_ends_a_linked_consumer_that_does_not_trap_exits)
{
    tell(watches_a_consumer, PLAIN, "0 of 3: 9\n"
                                    "consumer down: boom\n");
    tell(watches_a_consumer, SUPERVISED, "0 of 3: 9\n"
                                         "consumer down: boom\n");
    tell(watches_a_consumer, NOLINK, "0 of 3: 9\n"
                                     "1 of 0: down: boom\n"
                                     "2 of 5: 25\n"
                                     "closed: ok at 0 ms\n"
                                     "consumer down: normal\n");
}
END_TEST

static void overfills(void *argument)
{
    (void)argument;
    start_tasks();
    drain(STREAM(sleeps, LIST(10, 20, 30, 40), .max_concurrency = 3));
    expect_clean();
    drain(STREAM(sleeps, LIST(10, 20, 30, 40), .max_concurrency = 2));
    expect_clean();
    cop_unlink(cop_whereis("tasks"));
    cop_supervisor_stop(cop_to("tasks"), COP_SHUTDOWN);
    drain(STREAM(sleeps, LIST(10)));
}

START_TEST(a_task_that_cannot_be_started_ends_the_stream_which_says_why)
{
    max_children = 2;
    for (kind = SUPERVISED; kind < KINDS; kind++) {
        tell(overfills, kind, "closed: max_children at 0 ms\n"
                              "0 of 10: 10\n"
                              "1 of 20: 20\n"
                              "2 of 30: 30\n"
                              "3 of 40: 40\n"
                              "closed: ok at 61 ms\n"
                              "closed: noproc at 62 ms\n");
    }
}
END_TEST

/* ---- time -------------------------------------------------------------------------- */

static void times_out(void *argument)
{
    (void)argument;
    drain(STREAM(sleeps, LIST(10, 200, 20), .max_concurrency = 2, .timeout_ms = 100));
}

static void watches_it_time_out(void *argument)
{
    (void)argument;
    start_tasks();
    trace_end_of("consumer", times_out, NULL);
    trace("at %d ms", (int)cop_now_ms());
    expect_clean();
}

START_TEST(a_task_that_takes_too_long_ends_the_consumer_and_is_killed)
{
    tell_of_each_kind(watches_it_time_out, "0 of 10: 10\n"
                                           "consumer down: timeout:cop_task_stream_next\n"
                                           "at 100 ms\n");
}
END_TEST

static bool unordered;

static void kills_the_slow(void *argument)
{
    (void)argument;
    start_tasks();
    drain(STREAM(sleeps, LIST(200, 10, 300, 20), .max_concurrency = 2, .timeout_ms = 100,
                 .on_timeout = COP_STREAM_KILL_TASK, .unordered = unordered));
    expect_clean();
}

START_TEST(or_it_alone_is_killed_and_its_item_says_that_its_time_was_over)
{
    unordered = false;
    tell_of_each_kind(kills_the_slow, "0 of 200: timeout\n"
                                      "1 of 10: 10\n"
                                      "2 of 300: timeout\n"
                                      "3 of 20: 20\n"
                                      "closed: ok at 120 ms\n");
    unordered = true;
    tell_of_each_kind(kills_the_slow, "1 of 10: 10\n"
                                      "0 of 200: timeout\n"
                                      "2 of 300: timeout\n"
                                      "3 of 20: 20\n"
                                      "closed: ok at 120 ms\n");
}
END_TEST

static void takes_its_time(void *argument)
{
    (void)argument;
    start_tasks();
    drain(STREAM(sleeps, LIST(10000), .timeout_ms = COP_INFINITY));
    drain(STREAM(sleeps, LIST(4999)));
    drain(STREAM(sleeps, LIST(5001), .on_timeout = COP_STREAM_KILL_TASK));
    expect_clean();
}

START_TEST(a_task_has_five_seconds_unless_the_options_say_otherwise)
{
    tell_of_each_kind(takes_its_time, "0 of 10000: 10000\n"
                                      "closed: ok at 10000 ms\n"
                                      "0 of 4999: 4999\n"
                                      "closed: ok at 14999 ms\n"
                                      "0 of 5001: timeout\n"
                                      "closed: ok at 19999 ms\n");
}
END_TEST

static void comes_late(void *argument)
{
    (void)argument;
    start_tasks();
    cop_task_stream *stream = STREAM(sleeps, LIST(10, 50, 500), .max_concurrency = 3,
                                     .timeout_ms = 100, .on_timeout = COP_STREAM_KILL_TASK);
    cop_task_item item;
    ck_assert(cop_task_stream_next(stream, &item));
    trace_item(&item);
    cop_sleep(190);
    drain(stream);
    expect_clean();
}

START_TEST(a_result_that_is_there_when_a_busy_consumer_comes_back_is_taken)
{
    tell_of_each_kind(comes_late, "0 of 10: 10\n"
                                  "1 of 50: 50\n"
                                  "2 of 500: timeout\n"
                                  "closed: ok at 200 ms\n");
}
END_TEST

/* ---- closing early ----------------------------------------------------------------- */

static void closes_early(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    start_tasks();
    cop_task_item item;
    for (int given = 0; given < 4; given++) {
        cop_task_stream *stream = STREAM(sleeps, LIST(10, 1000, 20, 30, 1000, 40),
                                         .max_concurrency = 4, .unordered = unordered);
        size_t memory = cop_memory_used();
        for (int i = 0; i < given; i++) cop_task_stream_next(stream, &item);
        ck_assert_int_eq(cop_task_stream_close(stream), COP_OK);
        ck_assert_uint_le(cop_memory_used(), memory);
        expect_clean();
    }
    cop_task_stream *stream = STREAM(sleeps, LIST(10, 5000, 20));
    ck_assert(cop_task_stream_next(stream, &item));
    settle();                                     /* results that nobody asked for */
    ck_assert_int_eq(cop_task_stream_close(stream), COP_OK);
    expect_clean();
}

START_TEST(a_stream_closed_early_kills_its_tasks_and_leaves_no_messages)
{
    unordered = false;
    tell_of_each_kind(closes_early, "");
    unordered = true;
    tell_of_each_kind(closes_early, "");
    for (uint64_t seed = 0; seed < 30; seed++) {
        kind = (enum kind)(seed % KINDS);
        unordered = seed % 2 == 0;
        ck_assert_msg(run_node_seeded(closes_early, NULL, seed) == 0, "seed %d", (int)seed);
    }
}
END_TEST

static void leaves_it_open(void *argument)
{
    (void)argument;
    cop_task_item item;
    ck_assert(cop_task_stream_next(STREAM(sleeps, LIST(10, 1000, 1000), .max_concurrency = 3),
                                   &item));
    /* ends normally, which a link would not tell the tasks */
}

static void waits_for_ever(void *argument)
{
    (void)argument;
    cop_task_item item;
    cop_task_stream_next(STREAM(traps, LIST(1, 2, 3), .max_concurrency = 2,
                                .timeout_ms = COP_INFINITY), &item);
    trace("it never comes to this");
}

static void is_abandoned(void *argument)
{
    (void)argument;
    start_tasks();
    trace_end_of("left open", leaves_it_open, NULL);
    expect_clean();
    cop_ref end;
    cop_pid pid = cop_spawn_monitor(waits_for_ever, NULL, 0, &end);
    settle();
    ck_assert_uint_eq(cop_process_count(), kind == PLAIN ? 4 : 5);
    cop_exit_process(pid, COP_KILL);
    trace_down("killed", end);
    expect_clean();
}

START_TEST(the_tasks_of_a_stream_die_with_its_consumer_however_that_ends)
{
    tell_of_each_kind(is_abandoned, "left open down: normal\n"
                                    "killed down: killed\n");
}
END_TEST

/* ---- memory ------------------------------------------------------------------------ */

static void has_so_much_memory(void *argument)
{
    cop_task_item item;
    cop_task_stream *stream = STREAM(traps, LIST(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11),
                                     .max_concurrency = 12, .timeout_ms = COP_INFINITY);
    cop_limit_memory(cop_memory_used() + *(const size_t *)argument);
    cop_task_stream_next(stream, &item);
}

/* A little more each time, until it is enough. */
static void has_too_little_memory(void *argument)
{
    (void)argument;
    start_tasks();
    bool enough = false;
    for (size_t bytes = 0; !enough; bytes += 8) {
        cop_ref end;
        cop_pid pid = cop_spawn_monitor(has_so_much_memory, &bytes, sizeof bytes, &end);
        settle();
        enough = cop_is_alive(pid);
        cop_exit_process(pid, COP_KILL);
        cop_message *message = cop_take(&(cop_match){ .ref = end }, COP_INFINITY);
        const cop_down_message *down = cop_expect(message, cop_down_message);
        ck_assert_str_eq(reason_text(down->reason), enough ? "killed"
                                                           : "error:enomem: max_memory");
        cop_message_free(message);
        expect_clean();
    }
}

START_TEST(a_consumer_for_whom_there_is_too_little_memory_leaves_no_task_behind)
{
    tell_of_each_kind(has_too_little_memory, "");
}
END_TEST

/* ---- its supervisor's end ------------------------------------------------------------- */

static void stops_tasks_soon(void *argument)
{
    (void)argument;
    cop_sleep(10);
    cop_supervisor_stop(cop_to("tasks"), COP_SHUTDOWN);
}

static void loses_its_supervisor(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    static const cop_shutdown allowances[] = { COP_BRUTAL_KILL, COP_SHUTDOWN_MS(100) };
    for (size_t i = 0; i < 2; i++) {
        start_tasks();
        cop_pid tasks = cop_whereis("tasks");
        cop_spawn(stops_tasks_soon, NULL, 0);
        drain(STREAM(traps, LIST(1), .timeout_ms = COP_INFINITY, .shutdown = allowances[i]));
        trace_exit_from("tasks", tasks);
    }
}

START_TEST(a_supervisor_that_ends_stops_the_tasks_of_its_streams_as_their_options_say)
{
    for (kind = SUPERVISED; kind < KINDS; kind++) {
        tell(loses_its_supervisor, kind, "0 of 1: down: killed\n"
                                         "closed: ok at 10 ms\n"
                                         "exit from tasks: shutdown\n"
                                         "0 of 1: down: killed\n"
                                         "closed: ok at 120 ms\n"
                                         "exit from tasks: shutdown\n");
    }
}
END_TEST

/* ---- the suite --------------------------------------------------------------------- */

static Suite *task_stream_end_suite(void)
{
    Suite *suite = suite_create("task_stream_end");
    TCase *tests = tcase_create("task_stream_end");
    tcase_add_test(tests, for_a_consumer_that_traps_exits_a_crash_is_an_item_that_knows_its_input);
    tcase_add_test(tests, a_crash_ends_a_linked_consumer_that_does_not_trap_exits);
    tcase_add_test(tests, a_task_that_cannot_be_started_ends_the_stream_which_says_why);
    tcase_add_test(tests, a_task_that_takes_too_long_ends_the_consumer_and_is_killed);
    tcase_add_test(tests, or_it_alone_is_killed_and_its_item_says_that_its_time_was_over);
    tcase_add_test(tests, a_task_has_five_seconds_unless_the_options_say_otherwise);
    tcase_add_test(tests, a_result_that_is_there_when_a_busy_consumer_comes_back_is_taken);
    tcase_add_test(tests, a_stream_closed_early_kills_its_tasks_and_leaves_no_messages);
    tcase_add_test(tests, the_tasks_of_a_stream_die_with_its_consumer_however_that_ends);
    tcase_add_test(tests, a_consumer_for_whom_there_is_too_little_memory_leaves_no_task_behind);
    tcase_add_test(tests,
                   a_supervisor_that_ends_stops_the_tasks_of_its_streams_as_their_options_say);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(task_stream_end_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
