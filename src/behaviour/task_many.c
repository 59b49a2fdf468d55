/* task_many.c - several tasks waited for together: await_many and yield_many.
 *
 * A group finds its tasks by the references that messages carry, so that results are taken in the
 * order of their coming, each once.  A task that has given its result stays in the group until
 * the end: its down message may come, and is dropped.
 *
 * What was taken is kept as messages, which are the process's and die with it; reasons are
 * counted for the caller only at the end, when nothing is waited for any more. */
#include "task.h"

#include <assert.h>

#include <coppice/memory.h>

struct member {
    struct table_node by_ref;    /* while in_table */
    cop_task task;
    bool in_table;
    bool ended;                  /* an outcome is known: message, or else error */
    int error;
    cop_message *message;        /* the result or the end */
};

struct group {
    struct table by_ref;
    struct member *members;      /* in the order of the tasks */
    size_t count;
    size_t ended;
    bool stops_at_failure;
    struct member *failed;       /* the first that failed */
};

/* ---- joining and leaving ----------------------------------------------------------- */

static void member_ended(struct group *group, struct member *member, int error,
                         cop_message *message)
{
    assert(!member->ended);
    member->ended = true;
    member->error = error;
    member->message = message;
    group->ended++;
    if (error != COP_OK && group->failed == NULL) group->failed = member;
}

static bool has_twin(const struct group *group, const struct member *member)
{
    return copi_table_find(&group->by_ref, member->task.ref.serial) != NULL;
}

/* Tasks that can't be waited for end here with their error; so does one that is given twice. */
static void join(struct group *group, const cop_task *tasks, size_t count)
{
    group->members = cop_alloc(count * sizeof *group->members);
    group->count = count;
    for (size_t i = 0; i < count; i++) {
        struct member *member = &group->members[i];
        member->task = tasks[i];
        int error = copi_task_check(tasks[i]);
        if (error == COP_OK && has_twin(group, member)) error = COP_EINVAL;
        if (error != COP_OK) {
            member_ended(group, member, error, NULL);
        } else {
            member->in_table = true;
            copi_table_insert(&group->by_ref, &member->by_ref, tasks[i].ref.serial);
        }
    }
}

static bool is_of_an_ended(const cop_message *message, void *context)
{
    struct group *group = context;
    struct table_node *node = copi_task_find(&group->by_ref, message);
    return node != NULL && ((struct member *)node)->ended;
}

/* Those that have ended are not heard of again.  The monitors first: nothing arrives after. */
static void part(struct group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        struct member *member = &group->members[i];
        if (member->in_table && member->ended) cop_demonitor(member->task.ref);
    }
    cop_message *message;
    while ((message = cop_take(&(cop_match){ .accept = is_of_an_ended, .context = group }, 0)))
        cop_message_free(message);
    for (size_t i = 0; i < group->count; i++) {
        struct member *member = &group->members[i];
        if (member->in_table) copi_table_remove(&group->by_ref, &member->by_ref);
        member->in_table = false;
    }
}

/* ---- waiting ----------------------------------------------------------------------- */

static bool is_of_group(const cop_message *message, void *context)
{
    struct group *group = context;
    return copi_task_find(&group->by_ref, message) != NULL;
}

static bool has_enough(const struct group *group, size_t limit)
{
    return group->ended >= limit || (group->stops_at_failure && group->failed != NULL);
}

/* Takes outcomes until there are `limit`; false: the time is over before. */
static bool take_outcomes(struct group *group, size_t limit, int64_t deadline)
{
    const cop_match match = { .accept = is_of_group, .context = group };
    while (!has_enough(group, limit)) {
        cop_message *message = cop_take(&match, copi_task_left_ms(deadline));
        if (message == NULL) return false;
        struct member *member = (struct member *)copi_task_find(&group->by_ref, message);
        int error = message->kind == COP_REPLY ? COP_OK : COP_EDOWN;
        if (member->ended) cop_message_free(message);
        else member_ended(group, member, error, message);
    }
    return true;
}

/* Of which all that their references will bring has arrived by now.  They are noted before the
 * mailbox is looked through: later there could be more of them. */
static bool *settled_members(const struct group *group, size_t *ret_count)
{
    bool *settled = cop_alloc(group->count);
    *ret_count = 0;
    for (size_t i = 0; i < group->count; i++) {
        const struct member *member = &group->members[i];
        settled[i] = !member->ended && !cop_is_monitoring(member->task.ref);
        if (settled[i]) ++*ret_count;
    }
    return settled;
}

/* As take_outcomes, but first finds those that are spent, which would be waited for in vain:
 * nothing can come any more, and nothing is there. */
static bool wait_for_outcomes(struct group *group, size_t limit, int64_t timeout_ms)
{
    int64_t deadline = copi_task_deadline(timeout_ms);
    size_t settled_count;
    bool *settled = settled_members(group, &settled_count);
    if (settled_count > 0 && !take_outcomes(group, limit, 0)) {
        for (size_t i = 0; i < group->count; i++) {
            struct member *member = &group->members[i];
            if (settled[i] && !member->ended) member_ended(group, member, COP_EINVAL, NULL);
        }
    }
    cop_free(settled);
    return take_outcomes(group, limit, deadline);
}

/* ---- await_many -------------------------------------------------------------------- */

/* From here on all are spent. */
static void give_up_rest(struct group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        if (!group->members[i].ended)
            member_ended(group, &group->members[i], COP_ETIMEOUT, NULL);
    }
}

static void give_results(struct group *group, cop_message **ret_results)
{
    for (size_t i = 0; i < group->count; i++) {
        copi_task_outcome(group->members[i].message,
                          ret_results != NULL ? &ret_results[i] : NULL, NULL);
    }
}

static int give_failure(struct group *group, const cop_reason **ret_reason)
{
    struct member *failed = group->failed;
    int error = failed->error;
    if (error == COP_EDOWN) {
        copi_task_outcome(failed->message, NULL, ret_reason);
        failed->message = NULL;
    }
    for (size_t i = 0; i < group->count; i++) cop_message_free(group->members[i].message);
    return error;
}

int cop_task_await_many(const cop_task *tasks, size_t count, int64_t timeout_ms,
                        cop_message **ret_results, const cop_reason **ret_reason)
{
    if (cop_pid_is_none(cop_self())) return COP_EOUTSIDE;
    if (tasks == NULL && count > 0) return COP_EINVAL;
    struct group group = { .stops_at_failure = true };
    join(&group, tasks, count);
    wait_for_outcomes(&group, count, timeout_ms);
    give_up_rest(&group);
    part(&group);
    int error = COP_OK;
    if (group.failed == NULL) give_results(&group, ret_results);
    else error = give_failure(&group, ret_reason);
    cop_free(group.members);
    return error;
}

/* ---- yield_many -------------------------------------------------------------------- */

void cop_task_result_deinit(cop_task_result *result)
{
    cop_message_free(result->message);
    cop_reason_unref(result->reason);
    *result = (cop_task_result){ 0 };
}

/* Ends a task, or lets it go, and takes what it has to say. */
static void dismiss(cop_task task, enum cop_yield_on_timeout how, cop_task_result *result)
{
    if (how == COP_YIELD_IGNORE)
        result->error = cop_task_ignore(task, &result->message, &result->reason);
    else
        result->error = cop_task_shutdown(task, (cop_shutdown)COP_BRUTAL_KILL, &result->message,
                                          &result->reason);
}

/* Those to be killed are told first, all of them, and waited for then. */
static void dismiss_rest(const struct group *group, enum cop_yield_on_timeout how,
                         cop_task_result *results)
{
    for (size_t i = 0; i < group->count && how == COP_YIELD_KILL_TASK; i++) {
        if (!group->members[i].ended) copi_task_kill(group->members[i].task.pid);
    }
    for (size_t i = 0; i < group->count && how != COP_YIELD_NOTHING; i++) {
        if (!group->members[i].ended) dismiss(group->members[i].task, how, &results[i]);
    }
}

int cop_task_yield_many(const cop_task *tasks, size_t count, int64_t timeout_ms,
                        const cop_yield_options *options, cop_task_result *ret_results)
{
    if (cop_pid_is_none(cop_self())) return COP_EOUTSIDE;
    if ((tasks == NULL || ret_results == NULL) && count > 0) return COP_EINVAL;
    static const cop_yield_options defaults = { 0 };
    if (options == NULL) options = &defaults;
    struct group group = { 0 };
    join(&group, tasks, count);
    bool all = options->limit == 0 || options->limit > count;
    bool in_time = wait_for_outcomes(&group, all ? count : options->limit, timeout_ms);
    part(&group);
    for (size_t i = 0; i < count; i++) ret_results[i] = (cop_task_result){ .error = COP_ETIMEOUT };
    if (!in_time) dismiss_rest(&group, options->on_timeout, ret_results);
    for (size_t i = 0; i < count; i++) {
        const struct member *member = &group.members[i];
        if (!member->ended) continue;
        ret_results[i].error = member->error;
        if (member->message != NULL)
            copi_task_outcome(member->message, &ret_results[i].message, &ret_results[i].reason);
    }
    cop_free(group.members);
    return COP_OK;
}
