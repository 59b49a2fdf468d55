/* gen_server_sys.c - the server's side of sys.h: its answers, and the observer of its messages. */
#include "gen_server.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <coppice/log.h>
#include <coppice/memory.h>
#include <coppice/timer.h>

#include "sys.h"

/* Who watches the messages; there only while one of the three is on. */
struct observer {
    bool counts, traces;
    cop_sys_counts counted;
    size_t keep;                 /* room of log; 0: nothing is kept */
    size_t kept;
    size_t oldest;               /* where in the ring */
    cop_sys_log_entry *log;
};

/* Copies a text, cut to fit. */
static void copy_text(char *ret_text, size_t size, const char *text)
{
    size_t length = text != NULL ? strnlen(text, size - 1) : 0;
    memcpy(ret_text, text != NULL ? text : "", length);
    ret_text[length] = '\0';
}

/* ---- observing ------------------------------------------------------------------------- */

static void keep_entry(struct observer *observer, bool out, cop_pid peer, const char *type)
{
    if (observer->kept == observer->keep) {
        observer->oldest = (observer->oldest + 1) % observer->keep;
        observer->kept--;
    }
    size_t place = (observer->oldest + observer->kept++) % observer->keep;
    cop_sys_log_entry *entry = &observer->log[place];
    entry->time_ns = cop_now_ns();
    entry->out = out;
    entry->peer = peer;
    copy_text(entry->type, sizeof entry->type, type);
}

/* Tells what happened with a message, and with whom. */
static void trace(const char *what, cop_pid peer, const char *type)
{
    char who[COP_NAME_MAX + 1] = "nobody";
    char text[sizeof who + 32];
    if (!cop_pid_is_none(peer) && !cop_name_of(peer, who, sizeof who))
        cop_pid_format(peer, who, sizeof who);
    snprintf(text, sizeof text, "%s %s", what, who);
    cop_log(&(cop_log_event){ .level = COP_LOG_DEBUG, .kind = COP_LOG_TEXT,
                              .message_type = type, .text = text });
}

static const char *received(const cop_message *message)
{
    switch ((enum cop_message_kind)message->kind) {
    case COP_CALL_REQUEST: return "got a call from";
    case COP_CAST: return "got a cast from";
    default: return "got a message from";
    }
}

void copi_observe_in(struct observer *observer, const cop_message *message)
{
    if (observer->counts)
        observer->counted.messages_in++;
    if (observer->traces)
        trace(received(message), message->from, message->type->name);
    if (observer->keep > 0)
        keep_entry(observer, false, message->from, message->type->name);
}

void copi_observe_out(struct observer *observer, cop_from from, const cop_message *reply)
{
    if (observer->counts)
        observer->counted.messages_out++;
    if (observer->traces)
        trace("replied to", from.alias.owner, reply->type->name);
    if (observer->keep > 0)
        keep_entry(observer, true, from.alias.owner, reply->type->name);
}

/* The observer, made if there is none. */
static struct observer *observe(struct server *server)
{
    if (server->observer == NULL)
        server->observer = cop_alloc(sizeof *server->observer);
    return server->observer;
}

/* Frees the observer if nothing is observed any more. */
static void observe_less(struct server *server)
{
    const struct observer *observer = server->observer;
    if (observer->counts || observer->traces || observer->keep > 0)
        return;
    cop_free(server->observer);
    server->observer = NULL;
}

static void set_counting(struct server *server, bool on)
{
    struct observer *observer = observe(server);
    observer->counts = on;
    observer->counted = (cop_sys_counts){ .start_ns = cop_now_ns() };
    observe_less(server);
}

static void set_tracing(struct server *server, bool on)
{
    observe(server)->traces = on;
    observe_less(server);
}

static void set_log(struct server *server, size_t keep)
{
    struct observer *observer = observe(server);
    cop_free(observer->log);
    observer->log = keep > 0 ? cop_alloc(keep * sizeof *observer->log) : NULL;
    observer->keep = keep;
    observer->kept = observer->oldest = 0;
    observe_less(server);
}

/* ---- answering ------------------------------------------------------------------------- */

/* A reply with room for bytes. */
static cop_message *reply_new(int error, size_t count, size_t bytes)
{
    cop_message *reply = cop_message_new(COP_TYPE(copi_sys_reply), NULL, bytes);
    *(copi_sys_reply *)cop_payload(reply) = (copi_sys_reply){ .error = error, .count = count };
    return reply;
}

static void *bytes_of(cop_message *reply)
{
    return (copi_sys_reply *)cop_payload(reply) + 1;
}

static cop_message *state_reply(struct server *server, size_t size)
{
    if (size != server->callbacks->state_size)
        return reply_new(COP_EINVAL, 0, 0);
    cop_message *reply = reply_new(COP_OK, 1, size);
    memcpy(bytes_of(reply), copi_server_state(server), size);
    return reply;
}

static cop_message *status_reply(struct server *server, bool suspended)
{
    cop_message *reply = reply_new(COP_OK, 1, sizeof(cop_sys_status));
    cop_sys_status *status = bytes_of(reply);
    status->pid = cop_self();
    status->parent = server->parent;
    status->suspended = suspended;
    status->state_size = server->callbacks->state_size;
    status->mailbox_length = cop_mailbox_length();
    status->memory_bytes = cop_memory_used();
    char name[COP_NAME_MAX + 1];
    cop_name_of(cop_self(), name, sizeof name);
    copy_text(status->name, sizeof status->name, name);
    copy_text(status->label, sizeof status->label, cop_label());
    return reply;
}

static cop_message *counts_reply(const struct observer *observer)
{
    if (observer == NULL || !observer->counts)
        return reply_new(COP_EINVAL, 0, 0);
    cop_message *reply = reply_new(COP_OK, 1, sizeof(cop_sys_counts));
    cop_sys_counts *counts = bytes_of(reply);
    *counts = observer->counted;
    counts->now_ns = cop_now_ns();
    return reply;
}

static cop_message *log_reply(const struct observer *observer, size_t room)
{
    size_t kept = observer != NULL ? observer->kept : 0;
    size_t count = kept < room ? kept : room;
    cop_message *reply = reply_new(COP_OK, count, count * sizeof(cop_sys_log_entry));
    cop_sys_log_entry *entries = bytes_of(reply);
    for (size_t i = 0; i < count; i++) {
        size_t place = (observer->oldest + kept - count + i) % observer->keep;
        entries[i] = observer->log[place];
    }
    return reply;
}

static void replace_state(struct server *server, const struct sys_request *request)
{
    request->replace(copi_server_state(server), request->size > 0 ? request + 1 : NULL);
}

/* Does what is asked for; the reply. */
static cop_message *obey(struct server *server, enum sys_request_kind kind,
                         const struct sys_request *request, bool suspended)
{
    switch (kind) {
    case SYS_GET_STATE: return state_reply(server, request->size);
    case SYS_GET_STATUS: return status_reply(server, suspended);
    case SYS_STATISTICS: return counts_reply(server->observer);
    case SYS_GET_LOG: return log_reply(server->observer, request->size);
    case SYS_REPLACE_STATE: replace_state(server, request); break;
    case SYS_STATISTICS_ON: set_counting(server, request->on); break;
    case SYS_TRACE: set_tracing(server, request->on); break;
    case SYS_LOG: set_log(server, request->size); break;
    case SYS_SUSPEND:
    case SYS_RESUME:
    case SYS_REQUESTS: break;
    }
    return reply_new(COP_OK, 0, 0);
}

bool copi_server_system(struct server *server, const cop_message *request, bool suspended)
{
    enum sys_request_kind kind = 0;
    while (kind < SYS_REQUESTS && request->type != &copi_sys_types[kind])
        kind++;
    if (kind == SYS_REQUESTS) {
        cop_log(&(cop_log_event){ .level = COP_LOG_WARNING, .kind = COP_LOG_TEXT,
                                  .message_type = request->type->name,
                                  .text = "unexpected message" });
        return suspended;
    }
    assert(request->size >= sizeof(struct sys_request));
    const cop_from from = { { request->from, request->ref } };
    cop_answer_message(from, obey(server, kind, cop_payload_const(request), suspended));
    return kind == SYS_SUSPEND || (suspended && kind != SYS_RESUME);
}
