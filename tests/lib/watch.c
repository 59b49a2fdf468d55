/* watch.c - see watch.h. */
#include "watch.h"

#include "trace.h"

const char *reason_text(const cop_reason *reason)
{
    static _Thread_local char text[1024];
    cop_reason_format(reason, text, sizeof text);
    return text;
}

void trace_down(const char *what, cop_ref ref)
{
    cop_match match = { .type = COP_TYPE(cop_down_message), .ref = ref };
    cop_message *message = cop_take(&match, COP_INFINITY);
    const cop_down_message *down = cop_expect(message, cop_down_message);
    ck_assert(cop_ref_equal(down->ref, ref));
    trace("%s down: %s", what, reason_text(down->reason));
    cop_message_free(message);
}

void trace_exit_from(const char *what, cop_pid pid)
{
    cop_match match = { .type = COP_TYPE(cop_exit_message), .from = pid };
    cop_message *message = cop_take(&match, COP_INFINITY);
    const cop_exit_message *exit = cop_expect(message, cop_exit_message);
    ck_assert(cop_pid_equal(exit->from, pid));
    trace("exit from %s: %s", what, reason_text(exit->reason));
    cop_message_free(message);
}

void trace_end_of(const char *what, cop_function *function, void *argument)
{
    cop_ref ref;
    cop_pid pid = cop_spawn_monitor(function, argument, 0, &ref);
    ck_assert(!cop_pid_is_none(pid));
    trace_down(what, ref);
}

void tell_spawner(cop_message *message, enum cop_message_kind kind)
{
    cop_ref spawner = cop_parent_alias();
    message->kind = (uint8_t)kind;
    message->ref = spawner.serial;
    cop_send_message(cop_to(spawner), message);
}

void settle(void)
{
    cop_sleep(1);       /* virtual time passes only when nobody can run */
}

void expect_empty_mailbox(void)
{
    settle();
    ck_assert_uint_eq(cop_mailbox_length(), 0);
}
