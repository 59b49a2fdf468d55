/* front.c - the first process: a day's business from opening to closing time. */
#include "front.h"

#include <coppice/coppice.h>
#include <string.h>

#include "customer.h"
#include "faults.h"
#include "notification.h"
#include "tree.h"

enum {
    CUSTOMERS_MAX = 64,    /* inside at once; the others wait outside */
    CLOSING_MS = 20000     /* what the whole tree may take to stop */
};

struct shop {
    struct front *front;
    cop_pid tree;
    bool open;             /* the tree runs */
    size_t inside;         /* customers */
    supervision ended;     /* the last child that ended */
};

/* ---- what the supervisors report ------------------------------------------------------- */

static void tell(struct shop *shop, const supervision *what, const char *outcome,
                 const char *names)
{
    char text[2 * STORY_LIST_BYTES];
    snprintf(text, sizeof text, "%s%s", outcome, names);
    report_ending(shop->front->report, what, text);
}

/* How it goes on with a child comes in a second event; with a task it does not. */
static void hear_ended(struct shop *shop, const supervision *what)
{
    shop->front->tally.endings[what->ending]++;
    shop->ended = *what;
    if (what->event == TASK_ENDED) tell(shop, what, "not restarted, tried again", "");
}

/* It was to run again; this is what it died of now. */
static void hear_not_started(struct shop *shop, const supervision *what)
{
    shop->ended = *what;
    tell(shop, what, "could not be started", "");
}

static void hear_restarted(struct shop *shop, const supervision *what)
{
    tally_supervisor(&shop->front->tally, what->supervisor)->restarts++;
    bool alone = what->restarted_with[0] == '\0';
    tell(shop, what, alone ? "restarted alone" : "restarted with ", what->restarted_with);
}

/* What is reported is that there were too many restarts; what the child died of, before. */
static void hear_gave_up(struct shop *shop, const supervision *what)
{
    char outcome[STORY_LIST_BYTES];
    snprintf(outcome, sizeof outcome, "once too often, %s gives up", what->supervisor);
    shop->ended.time_ns = what->time_ns;
    tell(shop, &shop->ended, outcome, "");
}

static void hear_supervision(struct shop *shop, const supervision *what)
{
    switch (what->event) {
    case CHILD_ENDED:
    case TASK_ENDED: hear_ended(shop, what); break;
    case CHILD_RESTARTED: hear_restarted(shop, what); break;
    case CHILD_NOT_STARTED: hear_not_started(shop, what); break;
    case SUPERVISOR_GAVE_UP: hear_gave_up(shop, what); break;
    }
}

/* ---- what the front hears -------------------------------------------------------------- */

static void hear_served(struct shop *shop, const served *done)
{
    struct tally *tally = &shop->front->tally;
    tally->served++;
    tally->tries += done->tries;
    tally->posted_before += done->outcome == POSTED_BEFORE;
    shop->inside--;
}

/* An exit: of the tree, which is the end; of a customer, who is done if nothing is wrong. */
static void hear_exit(struct shop *shop, const cop_exit_message *exit)
{
    if (cop_pid_equal(exit->from, shop->tree)) shop->open = false;
    else if (cop_reason_abnormal(exit->reason)) shop->inside--;
}

/* Hears one message; false when none came in time. */
static bool hear(struct shop *shop, int64_t timeout_ms)
{
    struct tally *tally = &shop->front->tally;
    const cop_message *message = cop_receive(timeout_ms);
    if (message == NULL) return false;
    const cop_exit_message *exit = cop_get(message, cop_exit_message);
    const supervision *what = cop_get(message, supervision);
    const served *done = cop_get(message, served);
    if (exit != NULL) hear_exit(shop, exit);
    else if (what != NULL) hear_supervision(shop, what);
    else if (done != NULL) hear_served(shop, done);
    else if (cop_is(message, receipt_sent)) tally->receipts++;
    report_progress(shop->front->report, cop_now_ns(), tally);
    return true;
}

/* ---- the day --------------------------------------------------------------------------- */

static bool goes_on(const struct shop *shop)
{
    return shop->open && *shop->front->stop_signal == 0 && shop->front->report->terminal.error == 0;
}

/* Waits until the request's time has come and there is room for its customer. */
static void wait_for(struct shop *shop, const struct request *request)
{
    int64_t due_ms = (int64_t)(request->second - shop->front->report->opening) * 1000;
    while (goes_on(shop) && cop_now_ms() < due_ms) hear(shop, due_ms - cop_now_ms());
    while (goes_on(shop) && shop->inside >= CUSTOMERS_MAX) hear(shop, COP_INFINITY);
}

static void let_in(struct shop *shop, const struct request *request)
{
    struct errand errand = {
        .request = *request,
        .plan = fault_plan_draw(shop->front->faults),
        .front = cop_self(),
    };
    if (errand.plan.killed != NULL) cop_exit_process(cop_whereis(errand.plan.killed), COP_KILL);
    if (cop_pid_is_none(cop_spawn_link(customer, &errand, sizeof errand))) {
        cop_raise("no room for a customer");
    }
    shop->inside++;
    shop->front->tally.came++;
}

static void do_business(struct shop *shop)
{
    const struct input *input = shop->front->input;
    for (size_t i = 0; i < input->count; i++) {
        wait_for(shop, &input->requests[i]);
        if (!goes_on(shop)) break;
        let_in(shop, &input->requests[i]);
    }
    /* Who is inside is served, also when the day ends early. */
    while (shop->open && shop->inside > 0) hear(shop, COP_INFINITY);
}

static void stop_tree(struct shop *shop)
{
    struct front *front = shop->front;
    cop_straggler *late = NULL;
    size_t count = 0;
    int error = !shop->open ? COP_ENOPROC
                            : cop_supervisor_stop_within(cop_to_pid(shop->tree), COP_SHUTDOWN,
                                                         CLOSING_MS, &late, &count);
    if (error != 0 && error != COP_ETIMEOUT) {
        report_note(front->report, cop_now_ns(), "the tree gave up; nobody is left to restart it");
        return;
    }
    while (hear(shop, 0)) continue;
    for (size_t i = 0; i < count; i++) report_straggler(front->report, cop_now_ns(), late[i].path);
    cop_free(late);
    report_note(front->report, cop_now_ns(),
                *front->stop_signal != 0 ? "stopped; those inside were served" : "closing time");
}

/* Starts the tree; false, and why it would not start in front->failure. */
static bool start_tree(struct shop *shop)
{
    cop_started tree = cop_supervisor_start_link(&FinancialApp_Supervisor);
    if (tree.error != 0) {
        char *failure = shop->front->failure;
        snprintf(failure, STORY_WHY_BYTES, "%s", cop_error_text(tree.error));
        if (tree.reason != NULL) cop_reason_format(tree.reason, failure, STORY_WHY_BYTES);
        cop_reason_unref(tree.reason);
        return false;
    }
    shop->tree = tree.pid;
    shop->open = true;
    return true;
}

void front_run(void *argument)
{
    struct shop shop = { .front = argument };
    cop_trap_exit(true);
    cop_must(cop_register(FRONT_NAME));
    if (!start_tree(&shop)) return;
    do_business(&shop);
    stop_tree(&shop);
}
