/* test_start_table.c - supervisors whose starter is killed before they have read what they are
 * started from. */
#include <coppice/coppice.h>

#include <stdlib.h>
#include <string.h>

#include "node.h"
#include "watch.h"

enum { SEEDS = 60, NUMBER = 17 };

static void serves(void *argument)
{
    expect_that(*(int *)argument == NUMBER);
    cop_init_ack();
    cop_sleep(COP_INFINITY);
}

/* ---- what is gone with the starter ------------------------------------------------------ */

struct table {
    cop_child_spec spec;
    int number;
    char id[8], name[8];
};

static bool began;        /* the starter has had its turn, and so has spawned the supervisor */

/* What the process has from cop_alloc is somebody else's afterwards. */
static void scribble(void *table)
{
    memset(table, 0xee, sizeof(struct table));
}

static struct table *make_table(void)
{
    struct table *table = cop_alloc(sizeof *table);
    *table = (struct table){ .number = NUMBER, .id = "child", .name = "app" };
    table->spec = (cop_child_spec){ .id = table->id, .start = cop_child_function,
                                    .module = COP_FUNCTION(serves), .argument = &table->number,
                                    .argument_size = sizeof table->number };
    cop_defer(scribble, table);
    began = true;
    return table;
}

static void starts_static(void *argument)
{
    (void)argument;
    struct table *table = make_table();
    const cop_supervisor app = { .name = table->name, .children = &table->spec, .child_count = 1 };
    cop_reason_unref(cop_supervisor_start_opt(&app, &(cop_start_options){ .link = false }).reason);
}

static void starts_partitioned(void *argument)
{
    (void)argument;
    struct table *table = make_table();
    const cop_partition_supervisor app = { .name = table->name, .child = &table->spec,
                                           .partitions = 1 };
    cop_reason_unref(
        cop_partition_supervisor_start_opt(&app, &(cop_start_options){ .link = false }).reason);
}

static void starts_dynamic(void *argument)
{
    (void)argument;
    struct table *table = make_table();
    table->spec.argument = NULL;
    table->spec.argument_size = 0;
    const cop_dynamic_supervisor app = { .name = table->name, .template_ = &table->spec,
                                         .extra = &table->number,
                                         .extra_size = sizeof table->number };
    cop_reason_unref(
        cop_dynamic_supervisor_start_opt(&app, &(cop_start_options){ .link = false }).reason);
}

/* ---- the stories ------------------------------------------------------------------------ */

static int survived;      /* supervisors that ran though their starter was killed */

static void expect_one_child(cop_dest app, bool dynamic)
{
    cop_child_counts counts;
    if (dynamic)
        cop_must_start(cop_dynamic_supervisor_start_from(app, NULL, 0));
    cop_must(cop_supervisor_count_children(app, &counts));
    ck_assert_uint_eq(counts.active, 1);
}

/* Kills the starter at once; the seed says who goes first then. */
static void kills_a_starter(void *argument)
{
    cop_function *starts = *(cop_function **)argument;
    cop_ref end;
    began = false;
    cop_pid starter = cop_spawn_monitor(starts, NULL, 0, &end);
    cop_yield();
    cop_exit_process(starter, COP_KILL);
    cop_message *down = cop_take(&(cop_match){ .ref = end }, COP_INFINITY);
    bool killed = cop_reason_is(cop_expect(down, cop_down_message)->reason, "killed");
    cop_message_free(down);
    settle();
    if (!began) return;
    survived += killed;
    expect_one_child(cop_to("app"), starts == starts_dynamic);
}

static void tell(cop_function *starts)
{
    survived = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        ck_assert_msg(run_node_seeded(kills_a_starter, &starts, seed) == 0, "seed %d", (int)seed);
    ck_assert_int_gt(survived, 0);
}

START_TEST(a_supervisor_runs_though_the_table_it_was_started_from_went_with_its_starter)
{
    tell(starts_static);
}
END_TEST

START_TEST(so_does_a_partitioned_one)
{
    tell(starts_partitioned);
}
END_TEST

START_TEST(so_does_a_dynamic_one_with_its_template_and_what_comes_before_each_argument)
{
    tell(starts_dynamic);
}
END_TEST

static Suite *start_table_suite(void)
{
    Suite *suite = suite_create("start_table");
    TCase *tests = tcase_create("start_table");
    tcase_add_test(tests,
                   a_supervisor_runs_though_the_table_it_was_started_from_went_with_its_starter);
    tcase_add_test(tests, so_does_a_partitioned_one);
    tcase_add_test(tests,
                   so_does_a_dynamic_one_with_its_template_and_what_comes_before_each_argument);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(start_table_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
