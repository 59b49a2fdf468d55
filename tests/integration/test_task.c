/* test_task.c - tasks: a function in a process of its own, and its result. */
#include <coppice/coppice.h>

#include <stdlib.h>
#include <string.h>

#include "node.h"
#include "worker.h"

COP_MESSAGE(sum, { int value; });
COP_MESSAGE(hello, COP_EMPTY);

/* ---- helpers ----------------------------------------------------------------------- */

static cop_pid top_pid;

#define TOP cop_to("tasks")

static void start_top(size_t max_children)
{
    const cop_task_supervisor supervisor = { .name = "tasks", .max_children = max_children };
    cop_started started = cop_task_supervisor_start_link(&supervisor);
    ck_assert_int_eq(started.error, COP_OK);
    top_pid = started.pid;
}

static void trace_await(const char *what, cop_task task, int64_t timeout_ms)
{
    cop_message *result = NULL;
    const cop_reason *reason = NULL;
    int error = cop_task_await(task, timeout_ms, &result, &reason);
    if (error == COP_OK && result == NULL) trace("%s: nothing", what);
    else if (error == COP_OK) trace("%s: %d", what, cop_expect(result, sum)->value);
    else trace("%s: %s %s", what, cop_error_name(error),
               reason != NULL ? reason_text(reason) : "");
    cop_message_free(result);
    cop_reason_unref(reason);
}

/* Some tasks. */
static cop_message *add_up(void *argument)
{
    const int *numbers = argument;
    return cop_new(sum, .value = numbers[0] + numbers[1]);
}

static cop_message *does_nothing(void *argument)
{
    (void)argument;
    return NULL;
}

static cop_message *raises(void *argument)
{
    cop_raise("cannot add %s", (const char *)argument);
}

static cop_message *faults(void *argument)
{
    (void)argument;
    volatile int *nowhere = NULL;
    *nowhere = 1;
    return NULL;
}

static cop_message *takes_ms(void *argument)
{
    int ms = *(int *)argument;
    cop_sleep(ms);
    trace("slept %d ms", ms);
    return cop_new(sum, .value = ms);
}

static cop_message *never_returns(void *argument)
{
    (void)argument;
    cop_sleep(COP_INFINITY);
    return NULL;
}

static cop_message *waits_for_hello(void *argument)
{
    char *text = argument;
    cop_receive_type(hello, COP_INFINITY);
    trace("%s", text);
    return NULL;
}

/* Whether the process is linked to the caller, which traps exits: its end says so. */
static bool is_linked(cop_pid pid)
{
    cop_ref end = cop_monitor(pid);
    cop_exit_process(pid, COP_KILL);
    cop_message_free(cop_take(&(cop_match){ .ref = end }, COP_INFINITY));
    cop_message *message =
        cop_take(&(cop_match){ .type = COP_TYPE(cop_exit_message), .from = pid }, 0);
    cop_message_free(message);
    return message != NULL;
}

/* ---- plain tasks ------------------------------------------------------------------- */

static void awaits_some(void *argument)
{
    (void)argument;
    int numbers[2] = { 2, 3 };
    cop_task first = cop_task_async(add_up, numbers, sizeof numbers);
    numbers[0] = 100;                                 /* the argument is copied */
    static const int others[2] = { 20, 30 };
    cop_task second = cop_task_async(add_up, others, 0);
    cop_task third = cop_task_async(does_nothing, NULL, 0);
    trace_await("second", second, COP_INFINITY);      /* in any order */
    trace_await("third", third, 1000);
    trace_await("first", first, 1000);
    cop_task fourth = cop_task_async(add_up, others, 0);
    ck_assert_int_eq(cop_task_await(fourth, 1000, NULL, NULL), COP_OK);
    settle();
    ck_assert_uint_eq(cop_process_count(), 1);
    for (int i = 0; i < 4; i++)                       /* linked, and ended normal */
        cop_message_free(cop_take(&(cop_match){ .type = COP_TYPE(cop_exit_message) }, 0));
    ck_assert_uint_eq(cop_mailbox_length(), 0);
}

START_TEST(a_tasks_result_is_what_its_function_returned)
{
    expect_story(awaits_some, "second: 50\n"
                              "third: nothing\n"
                              "first: 5\n");
}
END_TEST

static void awaits_failures(void *argument)
{
    (void)argument;
    trace_await("raises", cop_task_async(raises, "apples", 7), 1000);
    trace_await("faults", cop_task_async(faults, NULL, 0), 1000);
    cop_task task = cop_task_async(never_returns, NULL, 0);
    cop_exit_process(task.pid, COP_KILL);
    trace_await("killed", task, 1000);
}

START_TEST(await_says_why_a_task_ended_without_a_result)
{
    expect_story(awaits_failures, "raises: down error:cannot add apples\n"
                                  "faults: down crash:SIGSEGV\n"
                                  "killed: down killed\n");
}
END_TEST

static void is_impatient(void *argument)
{
    (void)argument;
    int ms = 100;
    cop_task task = cop_task_async(takes_ms, &ms, sizeof ms);
    trace_await("task", task, 50);
    ck_assert(cop_is_alive(task.pid));
    cop_sleep(100);
    ck_assert(!cop_is_alive(task.pid));
    ck_assert_ptr_null(cop_take(&(cop_match){ .type = COP_TYPE(sum) }, 0));
    ck_assert_ptr_null(cop_take(&(cop_match){ .type = COP_TYPE(cop_down_message) }, 0));
}

START_TEST(after_a_time_out_the_task_goes_on_and_its_result_never_arrives)
{
    expect_story(is_impatient, "task: timeout \n"
                               "slept 100 ms\n");
}
END_TEST

static void awaits_anothers(void *argument)
{
    trace_await("another's", *(cop_task *)argument, 1000);
}

static void awaits_wrongly(void *argument)
{
    (void)argument;
    int ms = 5;
    cop_task task = cop_task_async(takes_ms, &ms, sizeof ms);
    cop_ref end;
    cop_spawn_monitor(awaits_anothers, &task, sizeof task, &end);
    trace_down("it", end);
    trace_await("mine", task, 1000);
    trace_await("no task", (cop_task){ 0 }, 1000);
    trace_await("no function", cop_task_async(NULL, NULL, 0), 1000);
    trace_await("no argument", cop_task_async(add_up, NULL, 8), 1000);
}

START_TEST(only_its_owner_awaits_a_task_and_one_not_started_says_why)
{
    expect_story(awaits_wrongly, "another's: badarg \n"
                                 "it down: normal\n"
                                 "slept 5 ms\n"
                                 "mine: 5\n"
                                 "no task: badarg \n"
                                 "no function: badarg \n"
                                 "no argument: badarg \n");
}
END_TEST

static void owner(void *argument)
{
    (void)argument;
    cop_task_async(never_returns, NULL, 0);
    trace_await("raises", cop_task_async(raises, "pears", 6), 1000);
    trace("it never comes to this");
}

static void loses_its_owner(void *argument)
{
    (void)argument;
    cop_ref end;
    cop_spawn_monitor(owner, NULL, 0, &end);
    trace_down("owner", end);
    settle();
    ck_assert_uint_eq(cop_process_count(), 1);
}

START_TEST(a_task_and_its_owner_are_linked_so_that_a_crash_of_one_ends_the_other)
{
    expect_story(loses_its_owner, "owner down: error:cannot add pears\n");
}
END_TEST

/* ---- under a supervisor ------------------------------------------------------------ */

static void is_supervised(void *argument)
{
    (void)argument;
    start_top(0);
    int numbers[2] = { 2, 3 };
    cop_task task = cop_task_supervisor_async(TOP, add_up, numbers, sizeof numbers);
    numbers[0] = 100;
    trace_await("linked", task, 1000);
    static const int others[2] = { 20, 30 };
    trace_await("not linked", cop_task_supervisor_async_nolink(TOP, add_up, others, 0), 1000);
    trace_await("nothing", cop_task_supervisor_async_nolink(TOP, does_nothing, NULL, 0), 1000);
    trace_await("raises", cop_task_supervisor_async_nolink(TOP, raises, "apples", 7), 1000);
    settle();
    trace_children(TOP);
    cop_task linked = cop_task_supervisor_async(TOP, never_returns, NULL, 0);
    cop_task loose = cop_task_supervisor_async_nolink(TOP, never_returns, NULL, 0);
    trace_children(TOP);
    ck_assert(is_linked(linked.pid));
    ck_assert(!is_linked(loose.pid));
    settle();
    trace_children(TOP);
}

START_TEST(a_supervised_task_is_a_temporary_child_and_gives_its_result_to_its_owner)
{
    expect_story(is_supervised,
                 "linked: 5\n"
                 "not linked: 50\n"
                 "nothing: nothing\n"
                 "raises: down error:cannot add apples\n"
                 "report: child_terminated task: error:cannot add apples\n"
                 "children: none; 0 specs, 0 active, 0 supervisors, 0 workers\n"
                 "children: child up, child up; 2 specs, 2 active, 0 supervisors, 2 workers\n"
                 "report: child_terminated task: killed\n"
                 "report: child_terminated task: killed\n"
                 "children: none; 0 specs, 0 active, 0 supervisors, 0 workers\n");
}
END_TEST

static void supervised_is_late(void *argument)
{
    (void)argument;
    start_top(0);
    int ms = 100;
    cop_task task = cop_task_supervisor_async_nolink(TOP, takes_ms, &ms, sizeof ms);
    trace_await("task", task, 50);
    cop_sleep(100);
    ck_assert_uint_eq(cop_mailbox_length(), 0);
}

START_TEST(a_late_result_of_a_supervised_task_never_arrives_either)
{
    expect_story(supervised_is_late, "task: timeout \n"
                                     "slept 100 ms\n");
}
END_TEST

static void nobody_awaits(void *argument)
{
    (void)argument;
    start_top(2);
    char text[] = "hello to you";
    cop_started task = cop_task_supervisor_start_child(TOP, waits_for_hello, text, sizeof text);
    ck_assert_int_eq(task.error, COP_OK);
    memset(text, 'x', sizeof text - 1);
    cop_task other = cop_task_supervisor_async(TOP, never_returns, NULL, 0);
    ck_assert_int_eq(other.error, COP_OK);
    trace_await("one more", cop_task_supervisor_async(TOP, never_returns, NULL, 0), 1000);
    trace_started("one more", cop_task_supervisor_start_child(TOP, does_nothing, NULL, 0));
    cop_send(task.pid, hello, 0);
    settle();
    trace_children(TOP);
    cop_exit_process(top_pid, COP_SHUTDOWN);
    trace_end("tasks", top_pid);
    trace_await("other", other, 1000);
    trace_await("late", cop_task_supervisor_async(TOP, never_returns, NULL, 0), 1000);
    trace_started("late", cop_task_supervisor_start_child(TOP, does_nothing, NULL, 0));
    trace_started("no function", cop_task_supervisor_start_child(TOP, NULL, NULL, 0));
    trace_started("NULL", cop_task_supervisor_start_opt(NULL, &(cop_start_options){ 0 }));
}

START_TEST(start_child_runs_a_task_that_nobody_awaits_and_a_full_supervisor_starts_none)
{
    expect_story(nobody_awaits,
                 "one more: max_children \n"
                 "one more: max_children\n"
                 "hello to you\n"
                 "children: child up; 1 specs, 1 active, 0 supervisors, 1 workers\n"
                 "tasks down: shutdown\n"
                 "other: down shutdown\n"
                 "late: noproc \n"
                 "late: noproc\n"
                 "no function: badarg\n"
                 "NULL: badarg\n");
}
END_TEST

/* Held up in the start, its owner dies before it has handed the work over.  The supervisor is
 * made to be slow by a child that is. */
static void hasty(void *argument)
{
    (void)argument;
    cop_task_supervisor_async_nolink(TOP, never_returns, NULL, 0);
    trace("it never comes to this");
}

static cop_started starts_slowly(const void *module, const void *argument, size_t argument_size)
{
    (void)module;
    (void)argument;
    (void)argument_size;
    cop_sleep(10);
    return (cop_started){ COP_EIGNORED, COP_NO_PID, NULL };
}

static void slow_caller(void *argument)
{
    (void)argument;
    cop_dynamic_supervisor_start_child(TOP, &(cop_child_spec){ .start = starts_slowly });
}

static void owner_is_hasty(void *argument)
{
    (void)argument;
    start_top(0);
    cop_spawn(slow_caller, NULL, 0);
    settle();
    cop_pid pid = cop_spawn(hasty, NULL, 0);
    settle();
    cop_exit_process(pid, cop_reason_atom("impatience"));
    cop_child_counts counts;           /* asked behind its request, answered behind it */
    ck_assert_int_eq(cop_supervisor_count_children(TOP, &counts), COP_OK);
    trace("%zu task", counts.active);
    settle();
    trace_children(TOP);
}

START_TEST(a_task_whose_owner_dies_before_it_has_its_work_ends_without_a_report)
{
    expect_story(owner_is_hasty,
                 "1 task\n"
                 "children: none; 0 specs, 0 active, 0 supervisors, 0 workers\n");
}
END_TEST

/* ---- many -------------------------------------------------------------------------- */

static cop_message *squares(void *argument)
{
    int n = *(int *)argument;
    if (n % 7 == 0) cop_raise("no sevens");
    return cop_new(sum, .value = n * n);
}

static void awaits_many(void *argument)
{
    (void)argument;
    enum { TASKS = 300 };
    static cop_task tasks[TASKS];
    cop_trap_exit(true);
    start_top(0);
    for (int i = 0; i < TASKS; i++)
        tasks[i] = i % 3 == 0 ? cop_task_async(squares, &i, sizeof i)
                   : i % 3 == 1 ? cop_task_supervisor_async(TOP, squares, &i, sizeof i)
                                : cop_task_supervisor_async_nolink(TOP, squares, &i, sizeof i);
    for (int i = TASKS - 1; i >= 0; i--) {
        cop_message *result = NULL;
        const cop_reason *reason = NULL;
        int error = cop_task_await(tasks[i], COP_INFINITY, &result, &reason);
        ck_assert_int_eq(error, i % 7 == 0 ? COP_EDOWN : COP_OK);
        if (error == COP_OK) ck_assert_int_eq(cop_expect(result, sum)->value, i * i);
        else ck_assert_str_eq(cop_reason_text(reason), "no sevens");
        cop_message_free(result);
        cop_reason_unref(reason);
    }
    ck_assert_int_eq(cop_supervisor_stop(TOP, COP_SHUTDOWN), COP_OK);
    ck_assert_ptr_null(cop_take(&(cop_match){ .type = COP_TYPE(sum) }, 0));
}

START_TEST(on_several_schedulers_every_task_is_awaited_with_its_own_result)
{
    ck_assert_int_eq(run_node_threads(awaits_many, NULL, 3), 0);
}
END_TEST

/* ---- the suite --------------------------------------------------------------------- */

static Suite *task_suite(void)
{
    Suite *suite = suite_create("task");
    TCase *tests = tcase_create("task");
    tcase_add_test(tests, a_tasks_result_is_what_its_function_returned);
    tcase_add_test(tests, await_says_why_a_task_ended_without_a_result);
    tcase_add_test(tests, after_a_time_out_the_task_goes_on_and_its_result_never_arrives);
    tcase_add_test(tests, only_its_owner_awaits_a_task_and_one_not_started_says_why);
    tcase_add_test(tests, a_task_and_its_owner_are_linked_so_that_a_crash_of_one_ends_the_other);
    tcase_add_test(tests, a_supervised_task_is_a_temporary_child_and_gives_its_result_to_its_owner);
    tcase_add_test(tests, a_late_result_of_a_supervised_task_never_arrives_either);
    tcase_add_test(tests,
                   start_child_runs_a_task_that_nobody_awaits_and_a_full_supervisor_starts_none);
    tcase_add_test(tests, a_task_whose_owner_dies_before_it_has_its_work_ends_without_a_report);
    tcase_add_test(tests, on_several_schedulers_every_task_is_awaited_with_its_own_result);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(task_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
