/* test_partition_supervisor.c - partition supervisors: routing, resizing, and what they share with
 * other supervisors. */
#include <coppice/coppice.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node.h"
#include "worker.h"

COP_CALL(which, COP_EMPTY, { int partition; });

static int start_count;
static int fails_from = 1000;      /* the number of the first start that fails */

static cop_next init(void *state, const void *argument)
{
    if (++start_count >= fails_from) return cop_stop(cop_reason_atom("boom"));
    if (argument != NULL) *(int *)state = *(const int *)argument;
    return cop_ok();
}

static cop_next handle_call(void *state, const cop_message *request, cop_from from)
{
    (void)request;
    (void)from;
    return cop_reply(which, .partition = *(int *)state);
}

static cop_next handle_cast(void *state, const cop_message *message)
{
    (void)state;
    (void)message;
    return cop_noreply();
}

static const cop_gen_server counter = { .state_size = sizeof(int), .init = init,
                                        .handle_call = handle_call, .handle_cast = handle_cast };

static void number_them(cop_child_spec *spec, unsigned partition)
{
    int *number = cop_alloc(sizeof *number);
    *number = (int)partition;
    spec->argument = number;
    spec->argument_size = sizeof *number;
}

static const cop_child_spec counter_spec = COP_CHILD_SERVER(counter);

#define POOL(partitions_, ...)                                                           \
    { .name = "pool", .child = &counter_spec, .partitions = (partitions_),               \
      .with_argument = number_them, __VA_ARGS__ }
static const cop_partition_supervisor pool = POOL(4);

static cop_pid start_pool(const cop_partition_supervisor *supervisor)
{
    start_count = 0;
    cop_started started = cop_partition_supervisor_start_link(supervisor);
    ck_assert_int_eq(started.error, COP_OK);
    return started.pid;
}

/* The partition that a key leads to; -1 for none. */
static int led_to(uint64_t key)
{
    which_reply reply;
    int error = cop_call(cop_partition(&pool, key), &reply, which, 0);
    if (error == COP_ENOPROC) return -1;
    cop_must(error);
    return reply.partition;
}

#define expect_pid(actual_, expected_) ck_assert(cop_pid_equal((actual_), (expected_)))

/* ---- routing --------------------------------------------------------------------------- */

static void routes(void *argument)
{
    (void)argument;
    start_pool(&pool);
    ck_assert_uint_eq(cop_partition_supervisor_partitions(&pool), 4);
    for (uint64_t key = 0; key < 40; key++) ck_assert_int_eq(led_to(key), (int)(key % 4));
    ck_assert_int_eq(led_to(UINT64_MAX), 3);

    bool seen[4] = { false };
    for (int i = 0; i < 100; i++) {
        char text[16];
        snprintf(text, sizeof text, "user %d", i);
        int partition = led_to(cop_partition_key(text));
        ck_assert_int_eq(partition, led_to(cop_partition_key(text)));
        seen[partition] = true;
    }
    ck_assert(seen[0] && seen[1] && seen[2] && seen[3]);

    cop_ref ref = cop_monitor(cop_partition(&pool, 5));
    ck_assert_int_eq(cop_cast(cop_partition(&pool, 5), which, 0), COP_OK);
    cop_must(cop_stop_process(cop_partition(&pool, 5), COP_SHUTDOWN, COP_INFINITY));
    settle();
    trace_down("partition 1", ref);
}

START_TEST(every_key_leads_to_one_partition_and_every_partition_has_keys)
{
    expect_story(routes, "report: child_terminated 1: shutdown\n"
                         "report: 1 restarted: shutdown; 1\n"
                         "partition 1 down: shutdown\n");
}
END_TEST

static void starts_default(void *argument)
{
    (void)argument;
    const cop_partition_supervisor plain = { .name = "pool", .child = &counter_spec };
    start_pool(&plain);
    ck_assert_uint_eq(cop_partition_supervisor_partitions(&plain), (unsigned)cop_schedulers());
    ck_assert_int_eq(start_count, cop_schedulers());
    for (uint64_t key = 0; key < 10; key++) ck_assert_int_eq(led_to(key), 0);
}

START_TEST(by_default_there_is_a_partition_for_each_scheduler_and_all_have_the_specs_argument)
{
    expect_story(starts_default, "");
    trace_reset();
    ck_assert_int_eq(run_node_threads(starts_default, NULL, 3), 0);
}
END_TEST

static void nothing_runs(void *argument)
{
    (void)argument;
    cop_child_info *children;
    cop_child_counts counts;
    size_t count;
    ck_assert_int_eq(led_to(0), -1);
    ck_assert(cop_pid_is_none(cop_partition_supervisor_whereis(&pool, 0)));
    ck_assert_uint_eq(cop_partition_supervisor_partitions(&pool), 0);
    ck_assert_int_eq(cop_partition_supervisor_resize(&pool, 1, NULL), COP_ENOPROC);
    ck_assert_int_eq(cop_partition_supervisor_which_children(&pool, &children, &count),
                     COP_ENOPROC);
    ck_assert_int_eq(cop_partition_supervisor_count_children(&pool, &counts), COP_ENOPROC);
    ck_assert_int_eq(cop_partition_supervisor_stop(&pool, COP_SHUTDOWN), COP_ENOPROC);
}

START_TEST(a_supervisor_that_does_not_run_has_no_partitions)
{
    expect_story(nothing_runs, "");
}
END_TEST

/* ---- starts and ends ------------------------------------------------------------------- */

static void wrong_starts(void *argument)
{
    (void)argument;
    const cop_child_spec no_start = { .id = "x" };
    const cop_child_spec significant = COP_CHILD_SERVER(counter, .restart = COP_TRANSIENT,
                                                        .significant = true);
    cop_partition_supervisor wrong = POOL(1);
#define TRY(what_, change_)                                                              \
    wrong = pool;                                                                        \
    wrong.change_;                                                                       \
    trace_started(what_, cop_partition_supervisor_start_link(&wrong))
    trace_started("none", cop_partition_supervisor_start_link(NULL));
    TRY("no name", name = NULL);
    TRY("empty name", name = "");
    TRY("no child", child = NULL);
    TRY("no start", child = &no_start);
    TRY("significant", child = &significant);
    TRY("too many", partitions = COP_PARTITIONS_MAX + 1);
    TRY("strategy", strategy = (enum cop_strategy)9);
    TRY("period", intensity = (cop_intensity)COP_MAX_RESTARTS(1, 0));
#undef TRY
    ck_assert_uint_eq(cop_process_count(), 1);
    ck_assert_uint_eq(cop_partition_supervisor_partitions(&pool), 0);
}

START_TEST(a_wrong_description_is_refused)
{
    expect_story(wrong_starts,
                 "none: badarg\n"
                 "no name: badarg\n"
                 "empty name: badarg\n"
                 "no child: badarg\n"
                 "no start: badarg\n"
                 "significant: badarg\n"
                 "too many: badarg\n"
                 "strategy: badarg supervisor_data:invalid_strategy\n"
                 "period: badarg supervisor_data:invalid_period\n");
}
END_TEST

static void third_fails(void *argument)
{
    (void)argument;
    start_count = 0;
    fails_from = 3;
    trace_started("pool", cop_partition_supervisor_start_link(&pool));
    fails_from = 1000;
    ck_assert_uint_eq(cop_process_count(), 1);
    ck_assert_uint_eq(cop_partition_supervisor_partitions(&pool), 0);
    cop_pid first = start_pool(&pool);
    cop_started second = cop_partition_supervisor_start_link(&pool);
    expect_pid(second.pid, first);
    trace_started("second", second);
    cop_started third = cop_partition_supervisor_start_link(&pool, .name = "other");
    expect_pid(third.pid, first);
    trace_started("under another name", third);
    ck_assert_int_eq(led_to(2), 2);
}

START_TEST(all_partitions_start_or_none_and_once)
{
    expect_story(third_fails, "report: start_error 2: boom\n"
                              "pool: start_failed shutdown:failed_to_start_child:2:boom\n"
                              "second: already_started\n"
                              "under another name: already_started\n");
}
END_TEST

static void stops(void *argument)
{
    (void)argument;
    for (int i = 0; i < 3; i++) {
        cop_pid pid = start_pool(&pool);
        cop_pid child = cop_partition_supervisor_whereis(&pool, 0);
        ck_assert(cop_is_alive(child));
        ck_assert_int_eq(cop_partition_supervisor_stop(&pool, COP_SHUTDOWN), COP_OK);
        ck_assert(!cop_is_alive(pid) && !cop_is_alive(child));
        ck_assert_int_eq(led_to(0), -1);
    }
}

START_TEST(when_stop_returns_all_of_it_is_gone_and_it_may_start_again)
{
    expect_story(stops, "");
}
END_TEST

static void supervised(void *argument)
{
    (void)argument;
    const cop_child_spec children[] = { COP_CHILD_PARTITION_SUPERVISOR(pool) };
    const cop_supervisor house = { COP_CHILDREN(children) };
    cop_started top = cop_supervisor_start_link(&house);
    trace_children(cop_to(top.pid));
    for (uint64_t key = 0; key < 4; key++) {
        cop_pid before = cop_partition_supervisor_whereis(&pool, key);
        worker_kill_pid(before);
        settle();
        ck_assert(!cop_pid_equal(cop_partition_supervisor_whereis(&pool, key), before));
        if (key < 3) ck_assert_int_eq(led_to(key), (int)key);
    }
    trace_children(cop_to(top.pid));
    for (uint64_t key = 0; key < 4; key++) ck_assert_int_eq(led_to(key), (int)key);
}

START_TEST(a_partition_is_restarted_with_its_own_argument_and_found_again_as_is_the_supervisor)
{
    expect_story(supervised,
                 "children: pool up; 1 specs, 1 active, 1 supervisors, 0 workers\n"
                 "report: child_terminated 0: killed\n"
                 "report: 0 restarted: killed; 0\n"
                 "report: child_terminated 1: killed\n"
                 "report: 1 restarted: killed; 1\n"
                 "report: child_terminated 2: killed\n"
                 "report: 2 restarted: killed; 2\n"
                 "report: child_terminated 3: killed\n"
                 "report: shutdown 3: reached_max_restart_intensity\n"
                 "report: child_terminated pool: shutdown\n"
                 "report: pool restarted: shutdown; pool\n"
                 "children: pool up; 1 specs, 1 active, 1 supervisors, 0 workers\n");
}
END_TEST

static void is_down_a_while(void *argument)
{
    (void)argument;
    start_pool(&pool);
    cop_pid child = cop_partition_supervisor_whereis(&pool, 1);
    cop_ref ref = cop_monitor(child);
    cop_exit_process(child, cop_reason_atom("boom"));
    cop_message_free(cop_take(&(cop_match){ .ref = ref }, COP_INFINITY));
    ck_assert(cop_pid_is_none(cop_partition_supervisor_whereis(&pool, 1)));
    ck_assert_int_eq(led_to(1), -1);
    ck_assert_int_eq(led_to(2), 2);
    settle();
    ck_assert_int_eq(led_to(1), 1);
}

START_TEST(a_key_leads_nowhere_while_its_partition_is_down)
{
    expect_story(is_down_a_while, "report: child_terminated 1: boom\n"
                                  "report: 1 restarted: boom; 1\n");
}
END_TEST

/* ---- children -------------------------------------------------------------------------- */

static void lists(void *argument)
{
    (void)argument;
    start_pool(&pool);
    cop_child_info *children;
    size_t count;
    cop_must(cop_partition_supervisor_which_children(&pool, &children, &count));
    ck_assert_uint_eq(count, 4);
    for (size_t i = 0; i < count; i++) {
        uint64_t number = (uint64_t)strtol(children[i].id, NULL, 10);
        ck_assert_uint_eq(number, 3 - i);
        expect_pid(children[i].pid, cop_partition_supervisor_whereis(&pool, number));
        ck_assert_int_eq(children[i].type, COP_WORKER);
    }
    cop_free(children);
    trace_children(cop_to("pool"));

    static const cop_supervisor empty = { .child_count = 0 };
    static const cop_child_spec empties = COP_CHILD_SUPERVISOR(empty);
    const cop_partition_supervisor nested = { .name = "nested", .child = &empties,
                                              .partitions = 2 };
    start_pool(&nested);
    cop_child_counts counts;
    cop_must(cop_partition_supervisor_count_children(&nested, &counts));
    trace("%zu specs, %zu active, %zu supervisors, %zu workers", counts.specs, counts.active,
          counts.supervisors, counts.workers);
}

START_TEST(the_children_have_numbers_for_ids_and_are_counted_by_their_type)
{
    expect_story(lists,
                 "children: 3 up, 2 up, 1 up, 0 up; 4 specs, 4 active, 0 supervisors, 4 workers\n"
                 "2 specs, 2 active, 2 supervisors, 0 workers\n");
}
END_TEST

/* ---- resizing -------------------------------------------------------------------------- */

static void resize(unsigned partitions)
{
    unsigned before;
    cop_must(cop_partition_supervisor_resize(&pool, partitions, &before));
    trace("from %u to %u", before, partitions);
    trace_children(cop_to("pool"));
    for (uint64_t key = 0; key < 20; key++)
        ck_assert_int_eq(led_to(key), partitions == 0 ? -1 : (int)(key % partitions));
    ck_assert_uint_eq(cop_partition_supervisor_partitions(&pool), 4);
}

static void resizes(void *argument)
{
    (void)argument;
    start_pool(&pool);
    resize(2);
    resize(3);
    resize(0);
    resize(4);
    unsigned before = 99;
    ck_assert_int_eq(cop_partition_supervisor_resize(&pool, 5, &before), COP_EINVAL);
    ck_assert_uint_eq(before, 99);
    ck_assert_int_eq(start_count, 4 + 1 + 4);
}

START_TEST(keys_lead_to_as_many_partitions_as_run_down_to_none_and_up_to_the_first_number)
{
    expect_story(
        resizes,
        "from 4 to 2\n"
        "children: 3 down, 2 down, 1 up, 0 up; 4 specs, 2 active, 0 supervisors, 4 workers\n"
        "from 2 to 3\n"
        "children: 3 down, 2 up, 1 up, 0 up; 4 specs, 3 active, 0 supervisors, 4 workers\n"
        "from 3 to 0\n"
        "children: 3 down, 2 down, 1 down, 0 down; 4 specs, 0 active, 0 supervisors, 4 workers\n"
        "from 0 to 4\n"
        "children: 3 up, 2 up, 1 up, 0 up; 4 specs, 4 active, 0 supervisors, 4 workers\n");
}
END_TEST

static void resizes_at_random(void *argument)
{
    (void)argument;
    start_pool(&pool);
    unsigned expected = 4;
    for (int i = 0; i < 50; i++) {
        unsigned before, wanted = (unsigned)cop_random_below(5);
        cop_must(cop_partition_supervisor_resize(&pool, wanted, &before));
        ck_assert_uint_eq(before, expected);
        expected = wanted;
        cop_child_counts counts;
        cop_must(cop_partition_supervisor_count_children(&pool, &counts));
        ck_assert_uint_eq(counts.active, wanted);
    }
}

START_TEST(any_row_of_resizes_ends_with_the_last_number)
{
    for (uint64_t seed = 1; seed <= 10; seed++) run_shuffled(resizes_at_random, seed);
}
END_TEST

static void resizer(void *argument)
{
    for (int i = 0; i < 10; i++) {
        cop_must(cop_partition_supervisor_resize(&pool, (unsigned)cop_random_below(5), NULL));
        cop_yield();
    }
    cop_must(cop_partition_supervisor_resize(&pool, *(unsigned *)argument, NULL));
}

static void several_resize(void *argument)
{
    (void)argument;
    start_pool(&pool);
    unsigned last = 3;
    cop_ref refs[4];
    for (int i = 0; i < 4; i++)
        refs[i] = cop_monitor(cop_spawn(resizer, &last, sizeof last));
    for (int i = 0; i < 4; i++)
        cop_message_free(cop_take(&(cop_match){ .ref = refs[i] }, COP_INFINITY));
    cop_child_counts counts;
    cop_must(cop_partition_supervisor_count_children(&pool, &counts));
    ck_assert_uint_eq(counts.active, 3);
    for (uint64_t key = 0; key < 20; key++) ck_assert_int_eq(led_to(key), (int)(key % 3));
}

START_TEST(of_several_that_resize_at_once_the_last_number_holds)
{
    for (uint64_t seed = 1; seed <= 20; seed++) run_shuffled(several_resize, seed);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(run_node_threads(several_resize, NULL, 4), 0);
}
END_TEST

static void group_restarts(void *argument)
{
    (void)argument;
    const cop_partition_supervisor together = POOL(4, .strategy = COP_ONE_FOR_ALL);
    start_pool(&together);
    resize(2);
    worker_kill_pid(cop_partition_supervisor_whereis(&pool, 0));
    settle();
    resize(2);
    resize(4);
}

START_TEST(a_group_restart_leaves_the_partitions_down_that_resize_has_stopped)
{
    const char *const two =
        "children: 3 down, 2 down, 1 up, 0 up; 4 specs, 2 active, 0 supervisors, 4 workers\n";
    char expected[1000];
    snprintf(expected, sizeof expected,
             "from 4 to 2\n%s"
             "report: child_terminated 0: killed\n"
             "report: 0 restarted: killed; 0 1\n"
             "from 2 to 2\n%s"
             "from 2 to 4\n"
             "children: 3 up, 2 up, 1 up, 0 up; 4 specs, 4 active, 0 supervisors, 4 workers\n",
             two, two);
    expect_story(group_restarts, expected);
}
END_TEST

static void resize_fails(void *argument)
{
    (void)argument;
    start_pool(&pool);
    resize(1);
    fails_from = start_count + 2;
    ck_assert_int_eq(cop_partition_supervisor_resize(&pool, 4, NULL), COP_EFAILED);
    for (uint64_t key = 0; key < 4; key++) ck_assert_int_eq(led_to(key), 0);
    fails_from = 1000;
    resize(4);
}

START_TEST(when_a_partition_does_not_start_the_keys_stay_with_those_that_ran_before)
{
    expect_story(
        resize_fails,
        "from 4 to 1\n"
        "children: 3 down, 2 down, 1 down, 0 up; 4 specs, 1 active, 0 supervisors, 4 workers\n"
        "from 4 to 4\n"
        "children: 3 up, 2 up, 1 up, 0 up; 4 specs, 4 active, 0 supervisors, 4 workers\n");
}
END_TEST

/* ---- the suite ------------------------------------------------------------------------- */

static Suite *partition_supervisor_suite(void)
{
    const TTest *const tests[] = {
        every_key_leads_to_one_partition_and_every_partition_has_keys,
        by_default_there_is_a_partition_for_each_scheduler_and_all_have_the_specs_argument,
        a_supervisor_that_does_not_run_has_no_partitions,
        a_wrong_description_is_refused,
        all_partitions_start_or_none_and_once,
        when_stop_returns_all_of_it_is_gone_and_it_may_start_again,
        a_partition_is_restarted_with_its_own_argument_and_found_again_as_is_the_supervisor,
        a_key_leads_nowhere_while_its_partition_is_down,
        the_children_have_numbers_for_ids_and_are_counted_by_their_type,
        keys_lead_to_as_many_partitions_as_run_down_to_none_and_up_to_the_first_number,
        any_row_of_resizes_ends_with_the_last_number,
        of_several_that_resize_at_once_the_last_number_holds,
        a_group_restart_leaves_the_partitions_down_that_resize_has_stopped,
        when_a_partition_does_not_start_the_keys_stay_with_those_that_ran_before,
    };
    Suite *suite = suite_create("partition_supervisor");
    TCase *cases = tcase_create("partition_supervisor");
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) tcase_add_test(cases, tests[i]);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(partition_supervisor_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
