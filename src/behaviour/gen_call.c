/* gen_call.c - the client's side of gen_server: calls, casts, answers.
 *
 * A call sends the request together with a monitor of the server, whose reference is an alias
 * too, and waits for it alone: the reply comes through the alias, the server's end through the
 * monitor.  Whichever is first ends both (COP_ALIAS_REPLY), so that no second reply, late
 * reply or down message reaches the mailbox. */
#include "gen_call.h"

#include <assert.h>
#include <string.h>

/* ---- calls ----------------------------------------------------------------------------- */

/* Waits for a reply or a down message; NULL when the time is over. */
static cop_message *await_answer(cop_ref ref, int64_t timeout_ms)
{
    const cop_match answer = { .ref = ref };
    cop_message *message = cop_take(&answer, timeout_ms < 0 ? COP_INFINITY : timeout_ms);
    if (message == NULL) {
        cop_demonitor_flush(ref);
        message = cop_take(&answer, 0);   /* a reply may have come since the wait ended */
    }
    return message;
}

/* The server ended without an answer.  Takes the message over. */
static int report_down(cop_message *message, const cop_reason **ret_reason)
{
    const cop_reason *reason = cop_expect(message, cop_down_message)->reason;
    int error = cop_reason_is(reason, "noproc") ? COP_ENOPROC : COP_EDOWN;
    if (error == COP_EDOWN && ret_reason != NULL)
        *ret_reason = cop_reason_ref(reason);
    cop_message_free(message);
    return error;
}

/* To an alias, whose owner may not accept it; the monitor is told of its end all the same. */
static int send_through(cop_dest owner, uint64_t alias, cop_message *request, cop_ref *ret_ref)
{
    *ret_ref = cop_monitor_opt(owner, COP_ALIAS_REPLY);
    request->from = cop_self();
    request->ref = ret_ref->serial;
    owner.alias = alias;
    int error = cop_send_message(owner, request);
    if (error != COP_OK)
        cop_demonitor_flush(*ret_ref);
    return error;
}

int copi_call(cop_dest server, cop_message *request, enum cop_message_kind kind,
              int64_t timeout_ms, cop_message **ret_reply, const cop_reason **ret_reason)
{
    cop_pid self = cop_self();
    cop_pid pid = cop_resolve(server);
    int error = request == NULL               ? COP_EINVAL
                : cop_pid_is_none(self)       ? COP_EOUTSIDE
                : cop_pid_is_none(pid)        ? COP_ENOPROC
                : cop_pid_equal(pid, self)    ? COP_ESELF
                                              : COP_OK;
    if (error != COP_OK) {
        cop_message_free(request);
        return error;
    }
    /* By pid: a name could have gone to another process since it was looked up. */
    cop_ref ref;
    request->kind = (uint8_t)kind;
    error = server.alias == 0 ? cop_send_request(pid, request, &ref)
                              : send_through(cop_to_pid(pid), server.alias, request, &ref);
    if (error != COP_OK)
        return error;

    cop_message *answer = await_answer(ref, timeout_ms);
    if (answer == NULL)
        return COP_ETIMEOUT;
    if (answer->kind != COP_REPLY)
        return report_down(answer, ret_reason);
    if (ret_reply != NULL)
        *ret_reply = answer;
    else
        cop_message_free(answer);
    return COP_OK;
}

int cop_call_message(cop_dest server, cop_message *request, int64_t timeout_ms,
                     cop_message **ret_reply, const cop_reason **ret_reason)
{
    return copi_call(server, request, COP_CALL_REQUEST, timeout_ms, ret_reply, ret_reason);
}

/* Copies the reply's struct.  What its fields own goes along, so it is not dropped with the
 * message. */
static void move_payload(void *ret, cop_message *reply)
{
    static const cop_message_type emptied = { "emptied", 0, NULL };
    memcpy(ret, cop_payload(reply), reply->type->size);
    reply->type = &emptied;
}

int cop_call_typed(cop_dest server, cop_message *request, int64_t timeout_ms,
                   const cop_message_type *type, void *ret)
{
    assert(type != NULL);
    cop_message *reply;
    int error = cop_call_message(server, request, timeout_ms, &reply, NULL);
    if (error != COP_OK)
        return error;
    if (reply->type != type)
        error = COP_EREPLY;
    else if (ret != NULL)
        move_payload(ret, reply);
    cop_message_free(reply);
    return error;
}

/* ---- casts and answers ----------------------------------------------------------------- */

int cop_cast_message(cop_dest server, cop_message *message)
{
    if (message != NULL)
        message->kind = COP_CAST;
    return cop_send_message(server, message) == COP_EFULL ? COP_EFULL : COP_OK;
}

void cop_answer_message(cop_from from, cop_message *reply)
{
    if (reply == NULL)
        return;
    reply->kind = COP_REPLY;
    reply->ref = from.alias.serial;
    cop_send_message(cop_to_alias(from.alias), reply);
}

int cop_must_named(int error, const char *what)
{
    if (error < 0)
        cop_raise("%s: %s", what, cop_error_text(error));
    return error;
}

cop_pid cop_must_start_named(cop_started started, const char *what)
{
    if (started.error == COP_OK || started.error == COP_EIGNORED)
        return started.pid;
    char reason[256] = "";
    if (started.reason != NULL) {
        cop_reason_format(started.reason, reason, sizeof reason);
        cop_reason_unref(started.reason);
    }
    cop_raise("%s: %s%s%s", what, cop_error_text(started.error), reason[0] != '\0' ? ": " : "",
              reason);
}
