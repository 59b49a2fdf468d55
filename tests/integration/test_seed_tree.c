/* test_seed_tree.c - who is restarted with whom in the financial application's tree.
 *
 * The tree is the application's own, with its ledger.  A story ends processes and traces what the
 * supervisors report, and then which of the nine are the same process as before. */
#include <coppice/coppice.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "database_pool.h"
#include "ledger.h"
#include "trace.h"
#include "tree.h"

static const char *const names[] = {
    "DatabasePool",       "PaymentSupervisor",      "PaymentProcessor", "PaymentTaskSupervisor",
    "DonationSupervisor", "DonationProcessor",      "DonationWorker",   "NotificationSupervisor",
    "NotificationService",
};
enum { NAMES = sizeof names / sizeof *names };

static const cop_supervisor *top = &FinancialApp_Supervisor;
static cop_pid before[NAMES];

/* ---- telling a story ----------------------------------------------------------------- */

static void sink(const cop_log_event *event, void *context)
{
    (void)context;
    char text[512];
    size_t used = 0;
    if (event->kind == COP_LOG_SUPERVISOR && strcmp(event->context, "shutdown") == 0) {
        trace("%s gives up: %s", event->supervisor_name, cop_reason_text(event->reason));
    }
    if (event->kind != COP_LOG_RESTART) return;
    for (size_t i = 0; i < event->restarted_count; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, " %s", event->restarted[i]);
    }
    trace("%s, after %s of %s, restarts%s", event->supervisor_name,
          cop_reason_text(event->reason), event->child, text);
}

/* Ends a process and waits until every supervisor has done what there is to do, the database's
 * restart included, which waits for 100 ms. */
static void end(const char *name, const char *reason)
{
    cop_pid pid = cop_whereis(name);
    ck_assert_msg(!cop_pid_is_none(pid), "%s does not run", name);
    cop_exit_process(pid, cop_reason_atom(reason));
    cop_sleep(200);
    ck_assert_msg(!cop_is_alive(pid), "%s survived", name);
}

/* Traces which of the nine are new processes, and that all of them run. */
static void trace_new(void)
{
    char text[512] = "";
    size_t used = 0;
    for (int i = 0; i < NAMES; i++) {
        cop_pid pid = cop_whereis(names[i]);
        ck_assert_msg(cop_is_alive(pid), "%s does not run", names[i]);
        if (cop_pid_equal(pid, before[i])) continue;
        used += (size_t)snprintf(text + used, sizeof text - used, " %s", names[i]);
    }
    trace("new:%s", text);
}

static void run_story(void *argument)
{
    void (*const *story)(void) = argument;
    cop_trap_exit(true);
    cop_started tree = cop_supervisor_start_link(top);
    ck_assert_int_eq(tree.error, 0);
    for (int i = 0; i < NAMES; i++) before[i] = cop_whereis(names[i]);
    (*story)();
    ck_assert(cop_is_alive(tree.pid));
    ck_assert_int_eq(cop_supervisor_stop(cop_to(tree.pid), COP_SHUTDOWN), 0);
}

/* Runs the story on a tree with an empty ledger and compares. */
static void expect_story(void (*story)(void), const char *expected)
{
    char directory[] = "seed-tree-XXXXXX", path[64], why[LEDGER_WHY_BYTES];
    int lock;
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/ledger.db", directory);
    ck_assert_msg(ledger_create(path, false, &lock, why) == 0, "%s", why);
    database_pool_use(path);

    trace_reset();
    int status = cop_run(run_story, &story, &(cop_run_options){ .deterministic = true,
                                                                .log = sink });
    ledger_release(lock);
    unlink(path);
    rmdir(directory);
    ck_assert_int_eq(status, 0);
    trace_expect(expected);
}

/* ---- the seed's three scenarios, as OTP plays them ----------------------------------- */

static void payment_processor_crashes(void)
{
    end("PaymentProcessor", "boom");
    trace_new();
}

START_TEST(a_payment_processor_crash_restarts_it_alone)
{
    expect_story(payment_processor_crashes,
                 "PaymentSupervisor, after boom of PaymentProcessor, restarts PaymentProcessor\n"
                 "new: PaymentProcessor\n");
}
END_TEST

static void donation_processor_crashes(void)
{
    end("DonationProcessor", "boom");
    trace_new();
}

START_TEST(a_donation_processor_crash_stays_inside_the_donation_supervisor)
{
    expect_story(donation_processor_crashes,
                 "DonationSupervisor, after boom of DonationProcessor, restarts "
                 "DonationProcessor DonationWorker\n"
                 "new: DonationProcessor DonationWorker\n");
}
END_TEST

static void donation_processor_crashes_too_often(void)
{
    for (int i = 0; i < 4; i++) end("DonationProcessor", "boom");
    trace_new();
}

START_TEST(when_the_donation_supervisor_gives_up_it_and_what_follows_it_restart)
{
#define ONE_MORE                                                                         \
    "DonationSupervisor, after boom of DonationProcessor, restarts "                     \
    "DonationProcessor DonationWorker\n"
    expect_story(donation_processor_crashes_too_often,
                 ONE_MORE ONE_MORE ONE_MORE
                 "DonationSupervisor gives up: reached_max_restart_intensity\n"
                 "FinancialApp.Supervisor, after shutdown of DonationSupervisor, restarts "
                 "DonationSupervisor NotificationSupervisor\n"
                 "new: DonationSupervisor DonationProcessor DonationWorker "
                 "NotificationSupervisor NotificationService\n");
}
END_TEST

static void database_pool_crashes(void)
{
    end("DatabasePool", "boom");
    trace_new();
}

START_TEST(a_database_pool_crash_restarts_everything)
{
    expect_story(database_pool_crashes,
                 "FinancialApp.Supervisor, after boom of DatabasePool, restarts DatabasePool "
                 "PaymentSupervisor DonationSupervisor NotificationSupervisor\n"
                 "new: DatabasePool PaymentSupervisor PaymentProcessor PaymentTaskSupervisor "
                 "DonationSupervisor DonationProcessor DonationWorker NotificationSupervisor "
                 "NotificationService\n");
}
END_TEST

/* The tree with DonationSupervisor as a transient child: its giving up is no abnormal end. */
static void transient_supervisor_gives_up(void)
{
    static const char *const followers[] = { "NotificationSupervisor", "NotificationService" };
    for (int i = 0; i < 4; i++) end("DonationProcessor", "boom");
    ck_assert(cop_pid_is_none(cop_whereis("DonationSupervisor")));
    for (int i = 0; i < 2; i++) {
        ck_assert(cop_pid_equal(cop_whereis(followers[i]), before[NAMES - 2 + i]));
    }
}

START_TEST(a_transient_donation_supervisor_that_gives_up_stays_down)
{
    cop_child_spec children[4];
    cop_supervisor transient = FinancialApp_Supervisor;
    ck_assert_uint_eq(transient.child_count, 4);
    memcpy(children, transient.children, sizeof children);
    children[2].restart = COP_TRANSIENT;
    transient.children = children;
    top = &transient;
    expect_story(transient_supervisor_gives_up,
                 ONE_MORE ONE_MORE ONE_MORE
                 "DonationSupervisor gives up: reached_max_restart_intensity\n");
}
END_TEST

/* ---- the rest of the tree ------------------------------------------------------------ */

static void followers_crash(void)
{
    end("DonationWorker", "boom");
    end("NotificationService", "boom");
    end("PaymentTaskSupervisor", "kill");
    trace_new();
}

START_TEST(who_has_nobody_behind_it_restarts_alone)
{
    expect_story(followers_crash,
                 "DonationSupervisor, after boom of DonationWorker, restarts DonationWorker\n"
                 "NotificationSupervisor, after boom of NotificationService, restarts "
                 "NotificationService\n"
                 "PaymentSupervisor, after killed of PaymentTaskSupervisor, restarts "
                 "PaymentTaskSupervisor\n"
                 "new: PaymentTaskSupervisor DonationWorker NotificationService\n");
}
END_TEST

static void subsystem_is_killed(void)
{
    end("PaymentSupervisor", "kill");
    trace_new();
}

START_TEST(a_killed_subsystem_restarts_with_what_follows_it)
{
    expect_story(subsystem_is_killed,
                 "FinancialApp.Supervisor, after killed of PaymentSupervisor, restarts "
                 "PaymentSupervisor DonationSupervisor NotificationSupervisor\n"
                 "new: PaymentSupervisor PaymentProcessor PaymentTaskSupervisor "
                 "DonationSupervisor DonationProcessor DonationWorker NotificationSupervisor "
                 "NotificationService\n");
}
END_TEST

static void donation_processor_crashes_now_and_then(void)
{
    for (int i = 0; i < 40; i++) {
        end("DonationProcessor", "boom");
        cop_sleep(2000);
    }
    cop_pid supervisor = cop_whereis("DonationSupervisor");
    trace("%s", cop_pid_equal(supervisor, before[4]) ? "same supervisor" : "another supervisor");
}

START_TEST(crashes_that_are_far_enough_apart_never_make_it_give_up)
{
    expect_story(donation_processor_crashes_now_and_then,
#define TEN_MORE                                                                         \
    ONE_MORE ONE_MORE ONE_MORE ONE_MORE ONE_MORE ONE_MORE ONE_MORE ONE_MORE ONE_MORE ONE_MORE
                 TEN_MORE TEN_MORE TEN_MORE TEN_MORE "same supervisor\n");
}
END_TEST

/* ---- the suite ----------------------------------------------------------------------- */

int main(void)
{
    Suite *suite = suite_create("seed_tree");
    TCase *scenarios = tcase_create("scenarios");
    tcase_add_test(scenarios, a_payment_processor_crash_restarts_it_alone);
    tcase_add_test(scenarios, a_donation_processor_crash_stays_inside_the_donation_supervisor);
    tcase_add_test(scenarios, when_the_donation_supervisor_gives_up_it_and_what_follows_it_restart);
    tcase_add_test(scenarios, a_transient_donation_supervisor_that_gives_up_stays_down);
    tcase_add_test(scenarios, a_database_pool_crash_restarts_everything);
    tcase_add_test(scenarios, who_has_nobody_behind_it_restarts_alone);
    tcase_add_test(scenarios, a_killed_subsystem_restarts_with_what_follows_it);
    tcase_add_test(scenarios, crashes_that_are_far_enough_apart_never_make_it_give_up);
    suite_add_tcase(suite, scenarios);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
