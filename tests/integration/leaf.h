/* leaf.h - for stories of trees that are stopped by a deadline: servers that take their time to
 * stop, and tell how much they have. */
#ifndef TEST_LEAF_H
#define TEST_LEAF_H

#include "timed.h"

struct leaf {
    const char *name;
    int64_t lingers_ms;      /* terminate takes that long */
    int hangs_at;            /* its start of that number does not return; 0: none */
    int count;               /* of its starts */
};

static inline cop_next init(void *state, const void *argument)
{
    struct leaf *leaf = (struct leaf *)(uintptr_t)argument;
    memcpy(state, &leaf, sizeof leaf);
    if (++leaf->count == leaf->hangs_at) {
        tell("%s hangs in its start", leaf->name);
        cop_sleep(COP_INFINITY);
    }
    cop_trap_exit(true);
    return cop_ok();
}

/* Tells how long it may take. */
static inline void terminate(void *state, const cop_reason *reason)
{
    const struct leaf *leaf = *(struct leaf **)state;
    const cop_deadline *deadline = cop_reason_deadline(reason);
    char time[64] = "no deadline";
    if (deadline != NULL) {
        int64_t left_ns = deadline->ns - cop_now_ns();
        snprintf(time, sizeof time, "%s has %lld ms", deadline->path, (long long)left_ns / 1000000);
    }
    tell("%s: %s, %s", leaf->name, reason_text(reason), time);
    if (leaf->lingers_ms != 0) cop_sleep(leaf->lingers_ms);
}

__attribute__((unused)) static const cop_gen_server leaf_server = {
    .state_size = sizeof(struct leaf *), .init = init, .terminate = terminate };

#define LEAF(leaf_, ...)                                                                 \
    { .id = #leaf_, .start = cop_child_server, .module = &leaf_server, .argument = &(leaf_), \
      __VA_ARGS__ }

static struct leaf quick = { .name = "quick" };
static struct leaf slow = { .name = "slow", .lingers_ms = 100 };
static struct leaf second = { .name = "second", .lingers_ms = 100 };
static struct leaf stuck = { .name = "stuck", .lingers_ms = COP_INFINITY };

/* A supervisor with a child that is stuck. */
static const cop_child_spec payments_children[] = { LEAF(slow), LEAF(stuck), LEAF(quick) };
__attribute__((unused)) static const cop_supervisor payments = {
    COP_CHILDREN(payments_children) };

/* Stops a tree and tells what came of it; nobody is left but the story. */
static inline void stop_tree(const char *top, int64_t deadline_ms)
{
    cop_straggler *stragglers = (cop_straggler *)&stragglers;
    size_t count = 42;
    tell_error("stopped", cop_supervisor_stop_within(cop_to(top), COP_SHUTDOWN, deadline_ms,
                                                     &stragglers, &count));
    ck_assert_int_eq(stragglers == NULL, count == 0);
    for (size_t i = 0; i < count; i++) {
        const cop_straggler *late = &stragglers[i];
        int length = (int)strcspn(late->path, "<");
        tell("straggler %.*s%s%s", length, late->path, late->path[length] == '<' ? "PID" : "",
             late->asked ? ", asked" : "");
    }
    settle();
    for (size_t i = 0; i < count; i++) ck_assert(!cop_is_alive(stragglers[i].pid));
    cop_free(stragglers);
    cop_message_free(cop_take(&(cop_match){ .type = COP_TYPE(cop_exit_message) }, 0));
    expect_empty_mailbox();
    ck_assert_uint_eq(cop_process_count(), 1);
}

#endif
