/* sys.c - the caller's side of sys.h: a request, the wait for the reply, a copy of what it holds.
 * */
#include "sys.h"

#include <string.h>

#include "gen_call.h"

#define REQUEST(name_) { "sys_" name_, sizeof(struct sys_request), NULL }

const cop_message_type copi_sys_types[SYS_REQUESTS] = {
    [SYS_GET_STATE] = REQUEST("get_state"),
    [SYS_REPLACE_STATE] = REQUEST("replace_state"),
    [SYS_SUSPEND] = REQUEST("suspend"),
    [SYS_RESUME] = REQUEST("resume"),
    [SYS_GET_STATUS] = REQUEST("get_status"),
    [SYS_STATISTICS_ON] = REQUEST("statistics_on"),
    [SYS_STATISTICS] = REQUEST("statistics"),
    [SYS_TRACE] = REQUEST("trace"),
    [SYS_LOG] = REQUEST("log"),
    [SYS_GET_LOG] = REQUEST("get_log"),
};

const cop_message_type cop_type_copi_sys_reply = {
    "sys_reply", sizeof(copi_sys_reply), NULL };

/* ---- asking ---------------------------------------------------------------------------- */

/* Sends the request with its argument, of request->size bytes unless argument is NULL.  On 0 the
 * reply is the caller's. */
static int ask(cop_dest server, enum sys_request_kind kind, const struct sys_request *request,
               const void *argument, int64_t timeout_ms, cop_message **ret_reply)
{
    if (cop_pid_is_none(cop_self()))
        return COP_EOUTSIDE;
    size_t bytes = argument != NULL ? request->size : 0;
    cop_message *message = cop_message_new(&copi_sys_types[kind], NULL, bytes);
    struct sys_request *payload = cop_payload(message);
    *payload = *request;
    if (bytes > 0)
        memcpy(payload + 1, argument, bytes);

    cop_message *reply;
    int error = copi_call(server, message, COP_SYSTEM, timeout_ms, &reply, NULL);
    if (error != COP_OK)
        return error;
    error = cop_expect(reply, copi_sys_reply)->error;
    if (error == COP_OK)
        *ret_reply = reply;
    else
        cop_message_free(reply);
    return error;
}

/* The same for a request without argument; what follows the reply is copied, unless ret is NULL,
 * item by item of `size` bytes; returns how many, or an error. */
static int64_t fetch(cop_dest server, enum sys_request_kind kind, const struct sys_request *request,
                     int64_t timeout_ms, void *ret, size_t size)
{
    cop_message *message;
    int error = ask(server, kind, request, NULL, timeout_ms, &message);
    if (error != COP_OK)
        return error;
    const copi_sys_reply *reply = cop_expect(message, copi_sys_reply);
    size_t count = reply->count;
    if (ret != NULL && count > 0)
        memcpy(ret, reply + 1, count * size);
    cop_message_free(message);
    return (int64_t)count;
}

/* The same for one item of `size` bytes. */
static int fetch_one(cop_dest server, enum sys_request_kind kind, int64_t timeout_ms, void *ret,
                     size_t size)
{
    if (ret == NULL)
        return COP_EINVAL;
    int64_t count = fetch(server, kind, &(struct sys_request){ .size = size }, timeout_ms, ret,
                          size);
    return count < 0 ? (int)count : COP_OK;
}

/* The same for requests that are only obeyed. */
static int order(cop_dest server, enum sys_request_kind kind, bool on, size_t size,
                 int64_t timeout_ms)
{
    const struct sys_request request = { .on = on, .size = size };
    int64_t count = fetch(server, kind, &request, timeout_ms, NULL, 0);
    return count < 0 ? (int)count : COP_OK;
}

/* ---- the requests ---------------------------------------------------------------------- */

int cop_sys_get_state(cop_dest server, void *ret_state, size_t size, int64_t timeout_ms)
{
    return fetch_one(server, SYS_GET_STATE, timeout_ms, ret_state, size);
}

int cop_sys_replace_state(cop_dest server, cop_sys_replace *replace, const void *argument,
                          size_t argument_size, int64_t timeout_ms)
{
    if (replace == NULL || (argument == NULL && argument_size > 0))
        return COP_EINVAL;
    const struct sys_request request = { .replace = replace, .size = argument_size };
    cop_message *reply;
    int error = ask(server, SYS_REPLACE_STATE, &request, argument, timeout_ms, &reply);
    if (error == COP_OK)
        cop_message_free(reply);
    return error;
}

int cop_sys_suspend(cop_dest server, int64_t timeout_ms)
{
    return order(server, SYS_SUSPEND, true, 0, timeout_ms);
}

int cop_sys_resume(cop_dest server, int64_t timeout_ms)
{
    return order(server, SYS_RESUME, false, 0, timeout_ms);
}

int cop_sys_get_status(cop_dest server, cop_sys_status *ret_status, int64_t timeout_ms)
{
    return fetch_one(server, SYS_GET_STATUS, timeout_ms, ret_status, sizeof *ret_status);
}

int cop_sys_statistics_on(cop_dest server, bool on, int64_t timeout_ms)
{
    return order(server, SYS_STATISTICS_ON, on, 0, timeout_ms);
}

int cop_sys_statistics(cop_dest server, cop_sys_counts *ret_counts, int64_t timeout_ms)
{
    return fetch_one(server, SYS_STATISTICS, timeout_ms, ret_counts, sizeof *ret_counts);
}

int cop_sys_trace(cop_dest server, bool on, int64_t timeout_ms)
{
    return order(server, SYS_TRACE, on, 0, timeout_ms);
}

int cop_sys_log(cop_dest server, unsigned keep, int64_t timeout_ms)
{
    if (keep > COP_SYS_LOG_MAX)
        return COP_EINVAL;
    return order(server, SYS_LOG, keep > 0, keep, timeout_ms);
}

int cop_sys_get_log(cop_dest server, cop_sys_log_entry *ret_entries, size_t room,
                    size_t *ret_count, int64_t timeout_ms)
{
    if (ret_count == NULL || (ret_entries == NULL && room > 0))
        return COP_EINVAL;
    int64_t count = fetch(server, SYS_GET_LOG, &(struct sys_request){ .size = room }, timeout_ms,
                          ret_entries, sizeof *ret_entries);
    if (count < 0)
        return (int)count;
    *ret_count = (size_t)count;
    return COP_OK;
}

int cop_sys_terminate(cop_dest server, const cop_reason *reason, int64_t timeout_ms)
{
    return cop_stop_process(server, reason, timeout_ms);
}
