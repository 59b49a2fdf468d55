/* request.c - the messages between callers and supervisors: their types and how they are made. */
#include "request.h"

#include <assert.h>
#include <string.h>

#include <coppice/memory.h>

#include "child.h"

/* ---- types ------------------------------------------------------------------------- */

static void drop_due_pid(void *payload)
{
    cop_reason_unref(((copi_due_pid *)payload)->reason);
}

static void drop_status(void *payload)
{
    cop_reason_unref(((copi_status *)payload)->status.last_end);
}

static void drop_started(void *payload)
{
    cop_reason_unref(((copi_started *)payload)->started.reason);
}

#define TYPE(name_, drop_)                                                               \
    const cop_message_type cop_type_copi_##name_ = { #name_, sizeof(copi_##name_), drop_ }

TYPE(start_child, NULL);
TYPE(start_from, NULL);
TYPE(terminate_child, NULL);
TYPE(restart_child, NULL);
TYPE(delete_child, NULL);
TYPE(get_childspec, NULL);
TYPE(terminate_pid, NULL);
TYPE(which_children, NULL);
TYPE(count_children, NULL);
TYPE(which_child, NULL);
TYPE(which_pid, NULL);
TYPE(get_pidspec, NULL);
TYPE(await_restart, NULL);
TYPE(due_child, NULL);
TYPE(due_pid, drop_due_pid);
TYPE(alive, NULL);
TYPE(straggler, NULL);
TYPE(started, drop_started);
TYPE(done, NULL);
TYPE(children, NULL);
TYPE(counts, NULL);
TYPE(childspec, NULL);
TYPE(status, drop_status);

/* ---- making them ------------------------------------------------------------------- */

cop_message *copi_request_by_id(const cop_message_type *type, const char *id)
{
    assert(type->size == sizeof(copi_by_id));
    size_t size = strlen(id) + 1;
    cop_message *message = cop_message_new(type, NULL, size);
    copi_by_id *payload = cop_payload(message);
    payload->id = memcpy(payload + 1, id, size);
    return message;
}

cop_message *copi_message_with_spec(const cop_message_type *type, const cop_child_spec *spec)
{
    assert(type->size == sizeof(copi_start_child) && type->size == sizeof(copi_childspec));
    cop_message *message = cop_message_new(type, NULL, copi_spec_room(spec));
    copi_childspec *payload = cop_payload(message);
    copi_spec_copy(&payload->spec, spec, payload + 1);
    return message;
}

cop_message *copi_request_start_from(const void *argument, size_t argument_size)
{
    cop_message *message = cop_message_new(COP_TYPE(copi_start_from), NULL, argument_size);
    copi_start_from *payload = cop_payload(message);
    payload->argument = argument_size > 0 ? memcpy(payload + 1, argument, argument_size) : argument;
    payload->argument_size = argument_size;
    return message;
}

cop_message *copi_request_await(const char *id, cop_pid old, int64_t until_ns)
{
    size_t size = strlen(id) + 1;
    cop_message *message = cop_message_new(COP_TYPE(copi_await_restart), NULL, size);
    copi_await_restart *payload = cop_payload(message);
    *payload = (copi_await_restart){ memcpy(payload + 1, id, size), old, until_ns };
    return message;
}

cop_message *copi_reply_children(size_t count, size_t id_bytes)
{
    size_t table = count * sizeof(cop_child_info);
    cop_message *message = cop_message_new(COP_TYPE(copi_children), NULL, table + id_bytes);
    copi_children *payload = cop_payload(message);
    payload->children = (cop_child_info *)(payload + 1);
    payload->room = (char *)(payload->children + count);
    return message;
}

void copi_reply_add_child(cop_message *reply, const cop_child_info *child)
{
    copi_children *payload = cop_payload(reply);
    cop_child_info *place = &payload->children[payload->count++];
    *place = *child;
    if (child->id == NULL) return;
    size_t size = strlen(child->id) + 1;
    place->id = memcpy(payload->room, child->id, size);
    payload->room += size;
}

cop_next copi_answer_started(cop_started started)
{
    return cop_reply_message(cop_new(copi_started, .started = started));
}

cop_next copi_answer_error(int error)
{
    return cop_reply_message(cop_new(copi_done, .error = error));
}

cop_next copi_answer_status(const cop_child_status *status)
{
    return cop_reply_message(cop_new(copi_status, .status = *status));
}

void copi_tell_straggler(cop_ref watcher, cop_pid pid, bool asked, const char *path)
{
    size_t size = strlen(path) + 1;
    cop_message *message = cop_message_new(COP_TYPE(copi_straggler), NULL, size);
    copi_straggler *straggler = cop_payload(message);
    *straggler = (copi_straggler){ .pid = pid, .asked = asked };
    memcpy(straggler->path, path, size);
    message->kind = COP_REPLY;
    message->ref = watcher.serial;
    cop_send_message(cop_to(watcher), message);
}

/* ---- the caller's side ------------------------------------------------------------- */

int copi_request(cop_dest supervisor, cop_message *request, const cop_message_type *expected,
                 cop_message **ret_reply, const cop_reason **ret_reason)
{
    cop_message *reply;
    int error = cop_call_message(supervisor, request, COP_INFINITY, &reply, ret_reason);
    if (error != COP_OK) return error;
    if (reply->type == expected) {
        *ret_reply = reply;
        return COP_OK;
    }
    const copi_done *done = cop_get(reply, copi_done);
    error = done != NULL && done->error < 0 ? done->error : COP_EREPLY;
    cop_message_free(reply);
    return error;
}

int copi_request_done(cop_dest supervisor, cop_message *request)
{
    cop_message *reply;
    int error = copi_request(supervisor, request, COP_TYPE(copi_done), &reply, NULL);
    if (error != COP_OK) return error;
    error = cop_expect(reply, copi_done)->error;
    cop_message_free(reply);
    return error;
}

cop_started copi_request_started(cop_dest supervisor, cop_message *request)
{
    cop_message *reply;
    const cop_reason *reason = NULL;
    int error = copi_request(supervisor, request, COP_TYPE(copi_started), &reply, &reason);
    if (error != COP_OK) return (cop_started){ error, COP_NO_PID, reason };

    cop_started started = cop_expect(reply, copi_started)->started;
    if (started.reason != NULL) cop_reason_ref(started.reason);
    cop_message_free(reply);
    return started;
}
