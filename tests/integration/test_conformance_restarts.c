/* test_conformance_restarts.c - the restarts and ends that OTP's own tests of supervisors pin, in
 * all their combinations.  See docs/conformance.md. */
#include <coppice/coppice.h>

#include <stdlib.h>
#include <string.h>

#include "worker.h"

static struct worker a, b, c;

static void start_top(const cop_supervisor *supervisor)
{
    cop_started started = cop_supervisor_start_link(supervisor, .name = "top");
    ck_assert_int_eq(started.error, COP_OK);
    trace("--");
}

#define TOP cop_to("top")

static void raise_in(const char *name)
{
    worker_raise(name, "failed");
    settle();
}

/* The ways in which a child ends. */
enum cause { NORMAL, SHUTDOWN, SHUTDOWN_CAUSE, BOOM, KILLED, TERMINATED, CAUSES };

static bool is_abnormal(enum cause cause)
{
    return cause == BOOM || cause == KILLED;
}

static void end_child(const char *name, enum cause cause)
{
    switch (cause) {
    case NORMAL: worker_exit(name, COP_NORMAL); break;
    case SHUTDOWN: worker_exit(name, COP_SHUTDOWN); break;
    case SHUTDOWN_CAUSE:
        worker_exit(name, cop_reason_tuple("shutdown", cop_reason_atom("x")));
        break;
    case BOOM: worker_exit(name, cop_reason_atom("boom")); break;
    case KILLED: worker_kill(name); break;
    case TERMINATED: ck_assert_int_eq(cop_supervisor_terminate_child(TOP, name), COP_OK); break;
    case CAUSES: ck_abort();
    }
    settle();
}

/* ---- restart types ----------------------------------------------------------------- */

static void end_in_every_way(enum cop_restart restart)
{
    for (enum cause cause = NORMAL; cause <= KILLED; cause++) {
        a.count = 0;
        const cop_child_spec children[] = { WORKER(a, .restart = restart), WORKER(b) };
        start_top(&(cop_supervisor){ COP_CHILDREN(children) });
        cop_pid sibling = cop_whereis("b");
        trace_reset();
        end_child("a", cause);
        bool again = restart == COP_PERMANENT || (restart == COP_TRANSIENT && is_abnormal(cause));
        ck_assert_int_eq(a.count, again ? 2 : 1);
        ck_assert_int_eq(strstr(trace_text(), "report: child_terminated a") != NULL,
                         restart == COP_PERMANENT || is_abnormal(cause));
        ck_assert(cop_pid_equal(cop_whereis("b"), sibling));
        cop_child_spec *spec = NULL;
        ck_assert_int_eq(cop_supervisor_get_childspec(TOP, "a", &spec),
                         restart == COP_TEMPORARY ? COP_ENOT_FOUND : COP_OK);
        cop_free(spec);
        ck_assert_int_eq(cop_supervisor_stop(TOP, COP_SHUTDOWN), COP_OK);
    }
}

static void ends_in_every_way(void *argument)
{
    (void)argument;
    end_in_every_way(COP_PERMANENT);
    end_in_every_way(COP_TRANSIENT);
    end_in_every_way(COP_TEMPORARY);
    trace_reset();
}

START_TEST(every_restart_type_after_every_reason)
{
    expect_story(ends_in_every_way, "");
}
END_TEST

static void loses_a_bystander(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { WORKER(a), WORKER(b, .restart = COP_TEMPORARY),
                                               WORKER(c) };
    start_top(&(cop_supervisor){ .strategy = COP_REST_FOR_ONE, COP_CHILDREN(children) });
    raise_in("a");
    trace_children(TOP);
}

START_TEST(a_temporary_child_that_is_stopped_with_rest_for_one_is_removed)
{
    expect_story(loses_a_bystander,
                 "a.1 starts\nb.1 starts\nc.1 starts\n--\n"
                 "a.1 is gone\n"
                 "report: child_terminated a: error:failed\n"
                 "c.1 is gone\n"
                 "b.1 is gone\n"
                 "a.2 starts\n"
                 "c.2 starts\n"
                 "report: a restarted: error:failed; a c\n"
                 "children: c up, a up; 2 specs, 2 active, 0 supervisors, 2 workers\n");
}
END_TEST

/* ---- groups that give up ----------------------------------------------------------- */

/* With two restarts allowed: crashes that are too many, or a start that fails. */
static void give_up(enum cop_strategy strategy, const char *starts)
{
    static const cop_child_spec children[] = { WORKER(a), WORKER(b), WORKER(c) };
    a.count = b.count = c.count = 0;
    b.starts = starts;
    start_top(&(cop_supervisor){ .strategy = strategy, .intensity = COP_MAX_RESTARTS(2, 5),
                                 COP_CHILDREN(children) });
    cop_ref end = cop_monitor("top");
    raise_in("b");
    if (strcmp(starts, "o") == 0) {
        raise_in("c");
        ck_assert(is_up("top"));
        raise_in("b");
    }
    ck_assert_ptr_nonnull(strstr(trace_text(),
                                 "report: shutdown b: reached_max_restart_intensity\n"));
    trace_reset();
    trace_down("top", end);
    trace_expect("top down: shutdown\n");
    ck_assert_uint_eq(cop_process_count(), 1);
    bool others = strategy == COP_ONE_FOR_ALL;
    ck_assert_int_eq(a.count, others ? 3 : 1);
    ck_assert_int_eq(b.count, others || strcmp(starts, "oe") == 0 ? 3 : 2);
    trace_reset();
}

static void groups_give_up(void *argument)
{
    (void)argument;
    give_up(COP_ONE_FOR_ALL, "o");
    give_up(COP_REST_FOR_ONE, "o");
    give_up(COP_ONE_FOR_ALL, "oe");
    give_up(COP_REST_FOR_ONE, "oe");
}

START_TEST(groups_give_up_after_too_many_crashes_and_after_too_many_failed_restarts)
{
    expect_story(groups_give_up, "");
}
END_TEST

/* ---- a tree ------------------------------------------------------------------------ */

static const cop_child_spec left_children[] = { WORKER(a) };
static const cop_supervisor left = { .name = "left", COP_CHILDREN(left_children) };
static const cop_child_spec right_children[] = { WORKER(b) };
static const cop_supervisor right = { .name = "right", .intensity = COP_MAX_RESTARTS(0, 5),
                                      COP_CHILDREN(right_children) };
static const cop_dynamic_supervisor pool = { .name = "pool" };

static void grows_again(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { COP_CHILD_SUPERVISOR(left),
                                               COP_CHILD_SUPERVISOR(right),
                                               COP_CHILD_DYNAMIC_SUPERVISOR(pool) };
    start_top(&(cop_supervisor){ .strategy = COP_ONE_FOR_ALL, COP_CHILDREN(children) });
    static const cop_child_spec leaf = WORKER(c);
    ck_assert_int_eq(cop_dynamic_supervisor_start_child(cop_to("pool"), &leaf).error, COP_OK);
    raise_in("a");
    trace_error("terminate", cop_supervisor_terminate_child(TOP, "left"));
    raise_in("b");
    trace_children(TOP);
    trace_children(cop_to("pool"));
}

START_TEST(a_tree_grows_again_with_what_was_stopped_but_without_dynamic_children)
{
    expect_story(grows_again,
                 "a.1 starts\nb.1 starts\n--\nc.1 starts\n"
                 "a.1 is gone\n"                /* stays inside its supervisor */
                 "report: child_terminated a: error:failed\n"
                 "a.2 starts\n"
                 "report: a restarted: error:failed; a\n"
                 "a.2 is gone\n"
                 "terminate: ok\n"
                 "b.1 is gone\n"                /* does not */
                 "report: child_terminated b: error:failed\n"
                 "report: shutdown b: reached_max_restart_intensity\n"
                 "report: child_terminated right: shutdown\n"
                 "c.1 is gone\n"
                 "a.3 starts\n"
                 "b.2 starts\n"
                 "report: right restarted: shutdown; left right pool\n"
                 "children: pool up, right up, left up; 3 specs, 3 active, 3 supervisors, "
                 "0 workers\n"
                 "children: none; 0 specs, 0 active, 0 supervisors, 0 workers\n");
}
END_TEST

static struct worker zebra, apple, mango;

static void keeps_the_order(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { WORKER(zebra), WORKER(apple), WORKER(mango) };
    start_top(&(cop_supervisor){ .strategy = COP_REST_FOR_ONE, COP_CHILDREN(children) });
    raise_in("zebra");
    trace("--");
    ck_assert_int_eq(cop_supervisor_stop(TOP, COP_SHUTDOWN), COP_OK);
}

START_TEST(the_order_is_that_of_the_table_and_not_of_the_ids)
{
    expect_story(keeps_the_order,
                 "zebra.1 starts\napple.1 starts\nmango.1 starts\n--\n"
                 "zebra.1 is gone\n"
                 "report: child_terminated zebra: error:failed\n"
                 "mango.1 is gone\n"
                 "apple.1 is gone\n"
                 "zebra.2 starts\n"
                 "apple.2 starts\n"
                 "mango.2 starts\n"
                 "report: zebra restarted: error:failed; zebra apple mango\n"
                 "--\n"
                 "mango.2 is gone\n"
                 "apple.2 is gone\n"
                 "zebra.2 is gone\n");
}
END_TEST

/* ---- auto_shutdown ----------------------------------------------------------------- */

struct significance {
    enum cop_auto_shutdown auto_shutdown;
    enum cop_restart restart;
    bool significant, another;     /* the child that ends; is there another one */
};

static void check_end(const struct significance *given, enum cause cause)
{
    const cop_child_spec children[] = {
        WORKER(a, .restart = given->restart, .significant = given->significant),
        WORKER(b, .restart = COP_TRANSIENT, .significant = given->another) };
    a.count = 0;
    start_top(&(cop_supervisor){ .auto_shutdown = given->auto_shutdown, COP_CHILDREN(children) });
    end_child("a", cause);
    bool again = given->restart == COP_TRANSIENT && is_abnormal(cause);
    bool ends = given->significant && cause != TERMINATED && !again &&
                (given->auto_shutdown == COP_ANY_SIGNIFICANT || !given->another);
    ck_assert_int_eq(a.count, again ? 2 : 1);
    ck_assert_int_eq(is_up("top"), !ends);
    ck_assert_int_eq(is_up("b"), !ends);
    if (!ends) ck_assert_int_eq(cop_supervisor_stop(TOP, COP_SHUTDOWN), COP_OK);
}

static void check_ends(void *argument)
{
    (void)argument;
    for (int bits = 0; bits < 16; bits++) {
        const struct significance given = {
            .auto_shutdown = bits & 1 ? COP_ANY_SIGNIFICANT : COP_ALL_SIGNIFICANT,
            .restart = bits & 2 ? COP_TRANSIENT : COP_TEMPORARY,
            .significant = bits & 4, .another = bits & 8 };
        for (enum cause cause = NORMAL; cause < CAUSES; cause++) check_end(&given, cause);
    }
    trace_reset();
}

START_TEST(only_a_significant_child_that_ends_by_itself_and_for_good_ends_its_supervisor)
{
    expect_story(check_ends, "");
}
END_TEST

static const cop_child_spec inner_children[] = {
    WORKER(a, .restart = COP_TRANSIENT, .significant = true) };
static const cop_supervisor inner = { .name = "inner", .auto_shutdown = COP_ANY_SIGNIFICANT,
                                      COP_CHILDREN(inner_children) };

static void ends_by_stages(void *argument)
{
    (void)argument;
    for (int significant = 0; significant < 2; significant++) {
        const cop_child_spec children[] = {
            COP_CHILD_SUPERVISOR(inner, .restart = COP_TRANSIENT, .significant = significant),
            WORKER(b) };
        start_top(&(cop_supervisor){ .auto_shutdown = COP_ANY_SIGNIFICANT,
                                     COP_CHILDREN(children) });
        cop_ref end = cop_monitor("top");
        worker_exit("a", COP_NORMAL);
        settle();
        if (significant) trace_down("top", end);
        else trace_children(TOP);
        if (!significant) ck_assert_int_eq(cop_supervisor_stop(TOP, COP_SHUTDOWN), COP_OK);
    }
}

START_TEST(an_auto_shutdown_goes_on_above_if_the_supervisor_is_significant_itself)
{
    expect_story(ends_by_stages,
                 "a.1 starts\nb.1 starts\n--\n"
                 "a.1 stops: normal\n"
                 "a.1 is gone\n"
                 "children: b up, inner down; 2 specs, 1 active, 1 supervisors, 1 workers\n"
                 "b.1 is gone\n"
                 "a.2 starts\nb.2 starts\n--\n"
                 "a.2 stops: normal\n"
                 "a.2 is gone\n"
                 "b.2 is gone\n"
                 "top down: shutdown\n");
}
END_TEST

/* ---- the suite --------------------------------------------------------------------- */

static Suite *conformance_restarts_suite(void)
{
    Suite *suite = suite_create("conformance_restarts");
    TCase *tests = tcase_create("conformance_restarts");
    tcase_add_test(tests, every_restart_type_after_every_reason);
    tcase_add_test(tests, a_temporary_child_that_is_stopped_with_rest_for_one_is_removed);
    tcase_add_test(tests,
                   groups_give_up_after_too_many_crashes_and_after_too_many_failed_restarts);
    tcase_add_test(tests, a_tree_grows_again_with_what_was_stopped_but_without_dynamic_children);
    tcase_add_test(tests, the_order_is_that_of_the_table_and_not_of_the_ids);
    tcase_add_test(tests,
                   only_a_significant_child_that_ends_by_itself_and_for_good_ends_its_supervisor);
    tcase_add_test(tests, an_auto_shutdown_goes_on_above_if_the_supervisor_is_significant_itself);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(conformance_restarts_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
