/* test_task_stream.c - streams of tasks: a function on each of many inputs, a few at a time. */
#include <coppice/coppice.h>

#include "streams.h"

/* ---- order ------------------------------------------------------------------------- */

static size_t concurrency;

static void is_in_order(void *argument)
{
    (void)argument;
    start_tasks();
    drain(STREAM(sleeps, LIST(40, 10, 30, 20), .max_concurrency = concurrency));
    expect_clean();
}

START_TEST(results_come_in_the_order_of_the_inputs_however_many_tasks_run_at_once)
{
    static const char *const ends[] = { NULL, "closed: ok at 100 ms\n", "closed: ok at 60 ms\n",
                                        NULL, "closed: ok at 40 ms\n", "closed: ok at 40 ms\n" };
    for (concurrency = 1; concurrency <= 5; concurrency++) {
        char expected[128];
        if (ends[concurrency] == NULL) continue;
        snprintf(expected, sizeof expected,
                 "0 of 40: 40\n1 of 10: 10\n2 of 30: 30\n3 of 20: 20\n%s", ends[concurrency]);
        tell_of_each_kind(is_in_order, expected);
    }
}
END_TEST

static void is_out_of_order(void *argument)
{
    (void)argument;
    start_tasks();
    drain(STREAM(sleeps, LIST(40, 10, 30, 20), .max_concurrency = 2, .unordered = true));
    expect_clean();
}

START_TEST(an_unordered_stream_gives_each_result_as_it_comes)
{
    tell_of_each_kind(is_out_of_order, "1 of 10: 10\n"
                                       "0 of 40: 40\n"     /* both at 40 ms */
                                       "2 of 30: 30\n"
                                       "3 of 20: 20\n"
                                       "closed: ok at 60 ms\n");
}
END_TEST

static bool has_no_inputs(void *context, void *ret_input)
{
    (void)ret_input;
    ++*(int *)context;
    return false;
}

static void has_none(void *argument)
{
    (void)argument;
    start_tasks();
    int asked = 0;
    drain(open_stream(&(cop_task_stream_options){ .function = squares, .input = has_no_inputs,
                                                  .context = &asked }));
    ck_assert_int_eq(asked, 1);
    cop_task_item item;
    ck_assert(!cop_task_stream_next(NULL, &item));
    trace_error("no stream", cop_task_stream_close(NULL));
    ck_assert_ptr_null(cop_task_async_stream(NULL));
    ck_assert_ptr_null(STREAM(NULL, LIST(1)));
    ck_assert_ptr_null(open_stream(&(cop_task_stream_options){ .function = squares }));
    expect_clean();
}

START_TEST(a_stream_without_inputs_is_empty_and_one_without_a_function_is_none)
{
    ck_assert_ptr_null(cop_task_async_stream(&(cop_task_stream_options){
        .function = squares, .input = has_no_inputs }));   /* outside of any process */
    tell_of_each_kind(has_none, "closed: ok at 0 ms\n"
                                "no stream: badarg\n");
}
END_TEST

/* ---- backpressure ------------------------------------------------------------------ */

static void pulls_late(void *argument)
{
    (void)argument;
    start_tasks();
    struct list *list = LIST(10, 40, 10, 10, 10);
    list->traced = true;
    cop_task_stream *stream = STREAM(sleeps, list, .max_concurrency = 2);
    trace("open");
    cop_task_item item;
    for (int i = 0; i < 5; i++) {
        ck_assert(cop_task_stream_next(stream, &item));
        trace_item(&item);
        cop_sleep(5);
    }
    drain(stream);
    expect_clean();
}

START_TEST(an_input_is_pulled_only_when_a_slot_is_free_and_a_result_is_asked_for)
{
    tell_of_each_kind(pulls_late, "open\n"
                                  "pulls 10\n"
                                  "pulls 40\n"
                                  "0 of 10: 10\n"     /* the slot is free, nobody asks */
                                  "pulls 10\n"
                                  "pulls 10\n"
                                  "pulls 10\n"        /* past the slow head */
                                  "1 of 40: 40\n"
                                  "2 of 10: 10\n"
                                  "3 of 10: 10\n"
                                  "at the end\n"
                                  "4 of 10: 10\n"
                                  "closed: ok at 60 ms\n");
}
END_TEST

static void counts_running(void *argument)
{
    (void)argument;
    start_tasks();
    enum { COUNT = 100 };
    static int numbers[COUNT];
    for (int i = 0; i < COUNT; i++) numbers[i] = 1 + i % 7;
    struct list list = { .numbers = numbers, .left = COUNT };
    cop_task_stream *stream = STREAM(sleeps, &list, .max_concurrency = 5);
    cop_task_item item;
    size_t given = 0, most = 0;
    size_t others = kind == PLAIN ? 1 : 2;
    while (cop_task_stream_next(stream, &item)) {
        ck_assert_uint_eq(item.index, given);
        if (cop_process_count() - others > most) most = cop_process_count() - others;
        given++;
    }
    ck_assert_int_eq(cop_task_stream_close(stream), COP_OK);
    ck_assert_uint_eq(given, COUNT);
    ck_assert_uint_gt(most, 1);
    ck_assert_uint_le(most, 5);
    expect_clean();
}

START_TEST(never_more_tasks_run_than_the_concurrency_allows)
{
    max_children = 5;            /* the supervisor has no room for more */
    tell_of_each_kind(counts_running, "");
    for (uint64_t seed = 0; seed < 30; seed++) {
        kind = (enum kind)(seed % KINDS);
        ck_assert_msg(run_node_seeded(counts_running, NULL, seed) == 0, "seed %d", (int)seed);
    }
}
END_TEST

/* ---- beside other things ----------------------------------------------------------- */

static void has_other_mail(void *argument)
{
    (void)argument;
    start_tasks();
    int ms = 5;
    cop_ref other;
    cop_spawn_monitor(ends_badly, NULL, 0, &other);
    cop_task task = cop_task_async(sleeps, &ms, sizeof ms);
    cop_send(cop_self(), stray, 0);
    drain(STREAM(sleeps, LIST(10, 20)));
    trace_down("other", other);
    TRACE_OUTCOME("task", cop_task_await, task, 0);
    ck_assert_ptr_nonnull(cop_receive_type(stray, 0));
    expect_clean();
}

START_TEST(a_stream_takes_only_its_own_messages)
{
    tell_of_each_kind(has_other_mail, "0 of 10: 10\n"
                                      "1 of 20: 20\n"
                                      "closed: ok at 30 ms\n"
                                      "other down: boom\n"
                                      "task: 5\n");
}
END_TEST

static void zips(void *argument)
{
    (void)argument;
    start_tasks();
    cop_task_stream *left = STREAM(sleeps, LIST(10, 30, 10, 1000), .max_concurrency = 2);
    cop_task_stream *right = STREAM(squares, LIST(4, 5, 6), .max_concurrency = 3);
    cop_task_item a, b;
    while (cop_task_stream_next(left, &a) && cop_task_stream_next(right, &b)) {
        trace_item(&a);
        trace_item(&b);
    }
    ck_assert_int_eq(cop_task_stream_close(left), COP_OK);
    ck_assert_int_eq(cop_task_stream_close(right), COP_OK);
    expect_clean();
}

START_TEST(two_streams_are_read_side_by_side)
{
    tell_of_each_kind(zips, "0 of 10: 10\n"
                            "0 of 4: 16\n"
                            "1 of 30: 30\n"
                            "1 of 5: 25\n"
                            "2 of 10: 10\n"
                            "2 of 6: 36\n");
}
END_TEST

static void is_read_by_another(void *argument)
{
    cop_task_stream *stream = argument;
    cop_task_item item;
    ck_assert(!cop_task_stream_next(stream, &item));
    ck_assert_ptr_null(cop_task_stream_take(stream));
    trace_error("another's", cop_task_stream_close(stream));
}

static cop_pid consumer_pid;

static cop_message *tells_its_callers(void *argument)
{
    (void)argument;
    cop_pid callers[2];
    ck_assert_uint_eq(cop_callers(callers, 2), 1);
    ck_assert(cop_pid_equal(callers[0], consumer_pid));
    return NULL;
}

static void keeps_messages(void *argument)
{
    (void)argument;
    start_tasks();
    cop_task_stream *stream = STREAM(squares, LIST(2, 3));
    cop_task_item item;
    ck_assert_ptr_null(cop_task_stream_take(stream));
    ck_assert(cop_task_stream_next(stream, &item));
    cop_message *kept = cop_task_stream_take(stream);
    ck_assert_ptr_eq(kept, item.message);
    ck_assert_ptr_null(cop_task_stream_take(stream));
    trace_end_of("other", is_read_by_another, stream);
    drain(stream);
    trace("kept: %d", cop_expect(kept, number)->value);
    cop_message_free(kept);

    consumer_pid = cop_self();
    stream = STREAM(tells_its_callers, LIST(1));
    ck_assert(cop_task_stream_next(stream, &item));
    ck_assert_int_eq(item.error, COP_OK);
    ck_assert_ptr_null(item.message);
    ck_assert_ptr_null(cop_task_stream_take(stream));
    ck_assert_int_eq(cop_task_stream_close(stream), COP_OK);
    expect_clean();
}

START_TEST(a_message_may_be_kept_and_only_who_opened_a_stream_reads_it)
{
    tell_of_each_kind(keeps_messages, "another's: badarg\n"
                                      "other down: normal\n"
                                      "1 of 3: 9\n"
                                      "closed: ok at 0 ms\n"
                                      "kept: 4\n");
}
END_TEST

/* ---- on real threads --------------------------------------------------------------- */

struct range { int next, end; };

static bool next_of_range(void *context, void *ret_input)
{
    struct range *range = context;
    *(int *)ret_input = range->next;
    return range->next++ < range->end;
}

static void streams_thousands(void *argument)
{
    (void)argument;
    start_tasks();
    for (int round = 0; round < 4; round++) {
        struct range range = { 0, 1000 };
        cop_task_stream *stream = open_stream(&(cop_task_stream_options){
            .function = squares, .input = next_of_range, .context = &range,
            .input_size = sizeof(int), .max_concurrency = 16, .unordered = round % 2 == 1 });
        cop_task_item item;
        long sum = 0;
        int given = 0;
        while ((round < 2 || given < 333) && cop_task_stream_next(stream, &item)) {
            expect_that(item.error == COP_OK);
            expect_that(round % 2 == 1 || item.index == (size_t)given);
            sum += cop_expect(item.message, number)->value - *(const int *)item.input;
            given++;
        }
        ck_assert_int_eq(cop_task_stream_close(stream), COP_OK);
        ck_assert_uint_eq(cop_mailbox_length(), 0);
        if (round < 2) ck_assert_int_eq(sum, 999L * 1000 * 1999 / 6 - 999L * 1000 / 2);
    }
}

START_TEST(on_several_schedulers_thousands_stream_through_and_nothing_is_left)
{
    for (kind = PLAIN; kind < KINDS; kind++)
        ck_assert_int_eq(run_node_threads(streams_thousands, NULL, 3), 0);
}
END_TEST

/* ---- the suite --------------------------------------------------------------------- */

static Suite *task_stream_suite(void)
{
    Suite *suite = suite_create("task_stream");
    TCase *tests = tcase_create("task_stream");
    tcase_add_test(tests, results_come_in_the_order_of_the_inputs_however_many_tasks_run_at_once);
    tcase_add_test(tests, an_unordered_stream_gives_each_result_as_it_comes);
    tcase_add_test(tests, a_stream_without_inputs_is_empty_and_one_without_a_function_is_none);
    tcase_add_test(tests, an_input_is_pulled_only_when_a_slot_is_free_and_a_result_is_asked_for);
    tcase_add_test(tests, never_more_tasks_run_than_the_concurrency_allows);
    tcase_add_test(tests, a_stream_takes_only_its_own_messages);
    tcase_add_test(tests, two_streams_are_read_side_by_side);
    tcase_add_test(tests, a_message_may_be_kept_and_only_who_opened_a_stream_reads_it);
    tcase_add_test(tests, on_several_schedulers_thousands_stream_through_and_nothing_is_left);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(task_stream_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
