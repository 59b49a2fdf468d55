/* test_stop_tree.c - trees of several levels are stopped by one deadline; who descends from
 * whom. */
#include "leaf.h"
#include "node.h"

/* ---- descendants ----------------------------------------------------------------------- */

static void waits(void *argument)
{
    (void)argument;
    cop_sleep(COP_INFINITY);
}

static void has_a_child(void *ret_pid)
{
    *(cop_pid *)ret_pid = cop_spawn(waits, NULL, 0);
    cop_sleep(COP_INFINITY);
}

static bool is_among(cop_pid pid, const cop_pid *pids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (cop_pid_equal(pids[i], pid)) return true;
    return false;
}

static void has_descendants(void *argument)
{
    (void)argument;
    cop_pid self = cop_self(), grandchild, pids[4] = { COP_NO_PID, COP_NO_PID, COP_NO_PID, self };
    cop_pid child = cop_spawn(has_a_child, &(cop_pid *){ &grandchild }, 0);
    ck_assert_uint_eq(cop_descendants(child, NULL, 0), 0);
    cop_exit_process(child, COP_KILL);
    settle();
    ck_assert_uint_eq(cop_process_count(), 1);

    child = cop_spawn(has_a_child, &grandchild, 0);
    settle();
    cop_pid other = cop_spawn(waits, NULL, 0);
    ck_assert_uint_eq(cop_descendants(self, pids, 4), 3);
    ck_assert(is_among(child, pids, 3) && is_among(grandchild, pids, 3) &&
              is_among(other, pids, 3));
    ck_assert(cop_pid_equal(pids[3], self));
    pids[1] = self;
    ck_assert_uint_eq(cop_descendants(self, pids, 1), 3);
    ck_assert(cop_pid_equal(pids[1], self));
    ck_assert_uint_eq(cop_descendants(child, pids, 4), 1);
    ck_assert(cop_pid_equal(pids[0], grandchild));
    ck_assert_uint_eq(cop_descendants(grandchild, pids, 4), 0);
    ck_assert_uint_eq(cop_descendants(COP_NO_PID, pids, 4), 0);

    cop_exit_process(child, COP_KILL);
    settle();
    ck_assert_uint_eq(cop_descendants(child, pids, 4), 1);   /* it knows its parent's pid ... */
    ck_assert(cop_pid_equal(pids[0], grandchild));
    ck_assert_uint_eq(cop_descendants(self, pids, 4), 1);    /* ... but not who is behind it */
    ck_assert(cop_pid_equal(pids[0], other));
    ck_assert(cop_is_alive(grandchild));
}

START_TEST(descendants_are_those_whose_line_of_living_parents_leads_to_a_process)
{
    expect_story(has_descendants, "");
    ck_assert_uint_eq(cop_descendants(COP_NO_PID, NULL, 0), 0);
}
END_TEST

/* ---- several levels -------------------------------------------------------------------- */

static void is_nested(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { LEAF(second), COP_CHILD_SUPERVISOR(payments) };
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    stop_tree("top", 1600);
}

START_TEST(each_level_keeps_a_part_of_the_time_for_itself_and_so_all_of_them_keep_the_deadline)
{
    expect_story(is_nested, "    0: quick: shutdown, top/payments/quick has 1235 ms\n"
                            "    0: stuck: shutdown, top/payments/stuck has 1235 ms\n"
                            "report: shutdown_error stuck: killed\n"
                            " 1235: slow: shutdown, top/payments/slow has 77 ms\n"
                            "report: shutdown_error slow: killed\n"
                            " 1312: second: shutdown, top/second has 176 ms\n"
                            " 1412: stopped: timeout\n"
                            " 1412: straggler top/payments/stuck, asked\n"
                            " 1412: straggler top/payments/slow, asked\n");
}
END_TEST

/* A supervisor that waits for ever in the restart of a child. */
static struct leaf hangs = { .name = "hangs", .hangs_at = 2 };
static const cop_child_spec held_up_children[] = { LEAF(quick), LEAF(hangs), LEAF(second) };
static const cop_supervisor held_up = { .name = "held_up", COP_CHILDREN(held_up_children) };

static void hang(void)
{
    cop_child_status status;
    ck_assert_int_eq(cop_supervisor_which_child(cop_to("held_up"), "hangs", &status), COP_OK);
    cop_exit_process(status.pid, COP_KILL);
    settle();
}

static void is_held_up(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { LEAF(slow), COP_CHILD_SUPERVISOR(held_up),
                                               LEAF(second) };
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    hang();
    stop_tree("top", 1600);
}

START_TEST(a_supervisor_that_is_held_up_is_killed_with_all_below_it)
{
    expect_story(is_held_up, "report: child_terminated hangs: killed\n"
                             "    0: hangs hangs in its start\n"
                             "    1: second: shutdown, top/second has 1406 ms\n"
                             "report: shutdown_error held_up: killed\n"
                             " 1413: slow: shutdown, top/slow has 82 ms\n"
                             "report: shutdown_error slow: killed\n"
                             " 1495: stopped: timeout\n"
                             " 1495: straggler top/held_up, asked\n"
                             " 1495: straggler top/held_up/PID\n"
                             " 1495: straggler top/held_up/PID\n"
                             " 1495: straggler top/held_up/PID\n"
                             " 1495: straggler top/slow, asked\n");
}
END_TEST

static void top_is_held_up(void *argument)
{
    (void)argument;
    ck_assert_int_eq(cop_supervisor_start_link(&held_up).error, COP_OK);
    hang();
    stop_tree("held_up", 1600);
}

START_TEST(a_top_that_is_held_up_itself_is_killed_by_the_caller_with_all_below_it)
{
    expect_story(top_is_held_up, "report: child_terminated hangs: killed\n"
                                 "    0: hangs hangs in its start\n"
                                 " 1601: stopped: timeout\n"
                                 " 1601: straggler held_up, asked\n"
                                 " 1601: straggler held_up/PID\n"
                                 " 1601: straggler held_up/PID\n"
                                 " 1601: straggler held_up/PID\n");
}
END_TEST

/* The workers below it trap its exit signal and end in their own time, as ever. */
static void is_killed_brutally(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = {
        LEAF(quick), COP_CHILD_SUPERVISOR(payments, .shutdown = COP_BRUTAL_KILL) };
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    tell_error("stopped", cop_supervisor_stop_within(TOP, COP_SHUTDOWN, 1600, NULL, NULL));
    ck_assert_uint_gt(cop_process_count(), 1);
}

START_TEST(a_supervisor_that_is_to_be_killed_brutally_is_killed_and_nobody_below_it)
{
    expect_story(is_killed_brutally, "    0: quick: killed, no deadline\n"
                                     "    0: stuck: killed, no deadline\n"
                                     "    0: slow: killed, no deadline\n"
                                     "    0: quick: shutdown, top/quick has 1406 ms\n"
                                     "    0: stopped: ok\n");
}
END_TEST

/* Another tree has the same parent, which ends with the first one's end. */
static const cop_child_spec first_children[] = { LEAF(stuck) };
static const cop_child_spec other_children[] = { LEAF(slow) };
static const cop_supervisor first = { .name = "first", COP_CHILDREN(first_children) };
static const cop_supervisor other = { .name = "other", COP_CHILDREN(other_children) };

static void parent_of_both(void *argument)
{
    (void)argument;
    ck_assert_int_eq(cop_supervisor_start_link(&first).error, COP_OK);
    ck_assert_int_eq(cop_supervisor_start_link(&other).error, COP_OK);
    cop_sleep(COP_INFINITY);
}

static void ends_another_tree(void *argument)
{
    (void)argument;
    cop_spawn(parent_of_both, NULL, 0);
    settle();
    cop_ref end = cop_monitor("other");
    cop_straggler *stragglers;
    size_t count;
    tell_error("first", cop_supervisor_stop_within(cop_to("first"), COP_SHUTDOWN, 1600,
                                                   &stragglers, &count));
    ck_assert_uint_eq(count, 1);
    cop_free(stragglers);
    trace_down("other", end);
    tell("%d left", (int)cop_process_count());
    expect_empty_mailbox();
}

START_TEST(a_tree_that_ends_because_of_the_end_of_another_has_its_own_time)
{
    expect_story(ends_another_tree, "    1: stuck: shutdown, first/stuck has 1406 ms\n"
                                    "report: shutdown_error stuck: killed\n"
                                    " 1407: first: timeout\n"
                                    " 1407: slow: shutdown, no deadline\n"
                                    "other down: shutdown\n"
                                    " 1507: 1 left\n");
}
END_TEST

/* ---- dynamic supervisors --------------------------------------------------------------- */

static const cop_dynamic_supervisor pool = { .name = "pool" };

static void has_a_pool(void *argument)
{
    (void)argument;
    static const cop_child_spec children[] = { LEAF(slow), COP_CHILD_DYNAMIC_SUPERVISOR(pool) };
    start_top(&(cop_supervisor){ COP_CHILDREN(children) });
    const cop_child_spec in_pool[] = {
        LEAF(quick), LEAF(stuck), LEAF(stuck, .shutdown = COP_SHUTDOWN_INFINITY),
        LEAF(stuck, .shutdown = COP_SHUTDOWN_MS(500)), COP_CHILD_SUPERVISOR(payments),
        LEAF(second, .shutdown = COP_BRUTAL_KILL) };
    for (size_t i = 0; i < 6; i++) {
        cop_started started = cop_dynamic_supervisor_start_child(cop_to("pool"), &in_pool[i]);
        ck_assert_int_eq(started.error, COP_OK);
    }
    stop_tree("top", 1600);
}

START_TEST(a_dynamic_supervisors_children_share_the_time_and_are_told_by_their_ids)
{
    expect_story(has_a_pool, "    0: quick: shutdown, top/pool/quick has 1235 ms\n"
                             "    0: stuck: shutdown, top/pool/stuck has 1235 ms\n"
                             "    0: stuck: shutdown, top/pool/stuck has 1235 ms\n"
                             "    0: stuck: shutdown, top/pool/stuck has 500 ms\n"
                             "    0: quick: shutdown, top/pool/payments/quick has 1084 ms\n"
                             "    0: stuck: shutdown, top/pool/payments/stuck has 1084 ms\n"
                             "report: shutdown_error stuck: killed\n"
                             "report: shutdown_error stuck: killed\n"
                             " 1084: slow: shutdown, top/pool/payments/slow has 68 ms\n"
                             "report: shutdown_error slow: killed\n"
                             "report: shutdown_error stuck: killed\n"
                             "report: shutdown_error stuck: killed\n"
                             " 1235: slow: shutdown, top/slow has 248 ms\n"
                             " 1335: stopped: timeout\n"
                             " 1335: straggler top/pool/stuck, asked\n"
                             " 1335: straggler top/pool/payments/stuck, asked\n"
                             " 1335: straggler top/pool/payments/slow, asked\n"
                             " 1335: straggler top/pool/stuck, asked\n"
                             " 1335: straggler top/pool/stuck, asked\n");
}
END_TEST

static void has_many(void *argument)
{
    (void)argument;
    enum { CHILDREN = 1000 };
    const cop_child_spec template_ = { .start = cop_child_server, .module = &leaf_server };
    start_dynamic_top(&(cop_dynamic_supervisor){ .template_ = &template_ });
    struct leaf *leaves[] = { &stuck, &quick };
    for (int i = 0; i < CHILDREN; i++)
        ck_assert_int_eq(cop_dynamic_supervisor_start_from(TOP, leaves[i % 2], 0).error, COP_OK);
    cop_straggler *stragglers;
    size_t count;
    ck_assert_int_eq(cop_supervisor_stop_within(TOP, COP_SHUTDOWN, 1600, &stragglers, &count),
                     COP_ETIMEOUT);
    ck_assert_int_eq(cop_now_ms(), 1406);
    ck_assert_uint_eq(count, CHILDREN / 2);
    for (size_t i = 0; i < count; i++) {
        char number[48];
        cop_pid_format(stragglers[i].pid, number, sizeof number);
        ck_assert_int_eq(strncmp(stragglers[i].path, "top/", 4), 0);
        ck_assert_str_eq(stragglers[i].path + 4, number);
        ck_assert(stragglers[i].asked);
        for (size_t before = 0; before < i; before++)
            ck_assert(!cop_pid_equal(stragglers[i].pid, stragglers[before].pid));
    }
    cop_free(stragglers);
    settle();
    ck_assert_uint_eq(cop_process_count(), 1);
    trace_reset();
}

START_TEST(a_child_without_an_id_is_told_by_its_pid_and_all_late_ones_are_told_once)
{
    expect_story(has_many, "");
}
END_TEST

/* ---- for real -------------------------------------------------------------------------- */

enum { BRANCHES = 8, LEAVES = 20 };

static void has_branches(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    static struct leaf leaves[2] = { { .name = "late", .lingers_ms = COP_INFINITY },
                                     { .name = "soon", .lingers_ms = 1 } };
    start_top(&(cop_supervisor){ 0 });
    for (int i = 0; i < BRANCHES; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        const cop_child_spec template_ = { .start = cop_child_server, .module = &leaf_server,
                                           .shutdown = COP_SHUTDOWN_INFINITY };
        const cop_dynamic_supervisor flags = { .template_ = &template_ };
        const cop_child_spec spec = { .id = id, .start = cop_child_dynamic_supervisor,
                                      .module = &flags, .type = COP_SUPERVISOR };
        cop_started branch = cop_supervisor_start_child(TOP, &spec);
        ck_assert_int_eq(branch.error, COP_OK);
        for (int j = 0; j < LEAVES; j++) {
            cop_started started = cop_dynamic_supervisor_start_from(
                cop_to(branch.pid), &leaves[(i + j) % 2], 0);
            ck_assert_int_eq(started.error, COP_OK);
        }
    }
    cop_straggler *stragglers;
    size_t count;
    int error = cop_supervisor_stop_within(TOP, COP_SHUTDOWN, 200, &stragglers, &count);
    ck_assert_int_eq(error, COP_ETIMEOUT);
    ck_assert_uint_ge(count, LEAVES / 2);
    cop_free(stragglers);
    while (cop_process_count() > 1) cop_yield();
}

START_TEST(on_several_schedulers_nobody_is_left_either)
{
    ck_assert_int_eq(run_node_threads(has_branches, NULL, 3), 0);
}
END_TEST

/* ---- the suite ------------------------------------------------------------------------- */

static Suite *stop_tree_suite(void)
{
    Suite *suite = suite_create("stop_tree");
    TCase *tests = tcase_create("stop_tree");
    tcase_add_test(tests, descendants_are_those_whose_line_of_living_parents_leads_to_a_process);
    tcase_add_test(
        tests, each_level_keeps_a_part_of_the_time_for_itself_and_so_all_of_them_keep_the_deadline);
    tcase_add_test(tests, a_supervisor_that_is_held_up_is_killed_with_all_below_it);
    tcase_add_test(tests, a_top_that_is_held_up_itself_is_killed_by_the_caller_with_all_below_it);
    tcase_add_test(tests, a_supervisor_that_is_to_be_killed_brutally_is_killed_and_nobody_below_it);
    tcase_add_test(tests, a_tree_that_ends_because_of_the_end_of_another_has_its_own_time);
    tcase_add_test(tests, a_dynamic_supervisors_children_share_the_time_and_are_told_by_their_ids);
    tcase_add_test(tests, a_child_without_an_id_is_told_by_its_pid_and_all_late_ones_are_told_once);
    tcase_add_test(tests, on_several_schedulers_nobody_is_left_either);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(stop_tree_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
