/* gen_server.h - a server: state, and callbacks that answer messages.
 *
 * Concept.  A server is described by a constant cop_gen_server: how large its state is
 * and what to do on a call, a cast, any other message.  It handles one message at a time,
 * in order of arrival.  Idle, it holds no stack.  OTP: gen_server.
 *
 *     COP_CALL(add, { int amount; }, { int total; });
 *
 *     static cop_next handle_call(void *state, const cop_message *request, cop_from from)
 *     {
 *         int *total = state;
 *         *total += cop_expect(request, add)->amount;
 *         return cop_reply(add, .total = *total);
 *     }
 *     static const cop_gen_server counter = {
 *         .name = "counter", .state_size = sizeof(int), .handle_call = handle_call };
 *
 *     cop_gen_server_start_link(&counter);
 *     add_reply sum;
 *     int error = cop_call("counter", &sum, add, .amount = 2);
 *
 * Life cycle.  start -> init -> callbacks -> terminate -> gone.  terminate is called when a
 * callback stops the server or returns nonsense, when cop_stop_process asks, and, if the
 * server traps exits, when its parent ends.  It is not called after a failed init, a kill,
 * or an exit signal to a server that does not trap exits.  Unlike OTP it is not called
 * either after cop_raise, cop_exit or a native crash in a callback: the state may be half
 * changed, and there is no stack to return to.  What must happen at every end belongs in
 * cop_defer.  If terminate itself crashes, its reason is the exit reason.
 *
 * An abnormal end that goes through terminate is reported as COP_LOG_SERVER with the last message's
 * type; normal, shutdown and {shutdown, _} are not.  The process's own COP_LOG_CRASH follows, which
 * is also all that is reported of a crash in a callback.
 *
 * Threads.  [process] unless said otherwise.  Callbacks run in the server's process and
 * may block. */
#ifndef COPPICE_GEN_SERVER_H
#define COPPICE_GEN_SERVER_H

#include <coppice/start.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- what callbacks return ------------------------------------------------------------- */

enum cop_next_kind {
    COP_NEXT_NONE = 0,   /* a zeroed cop_next: the server ends with the error
                          * "bad_return_value: handle_call" (or whichever callback it was),
                          * as for any value that its callback may not return */
    COP_NEXT_OK,         /* init: {ok, State} */
    COP_NEXT_IGNORE,     /* init: ignore */
    COP_NEXT_FAIL,       /* init: {error, Reason}: the server ends normal, silently */
    COP_NEXT_NOREPLY,    /* {noreply, State} */
    COP_NEXT_REPLY,      /* {reply, Reply, State} */
    COP_NEXT_STOP        /* {stop, Reason, [Reply,] State} */
};

typedef struct cop_next {
    enum cop_next_kind kind;
    cop_message *reply;           /* owned, or NULL */
    const cop_reason *reason;     /* owned, or NULL */
    cop_message *continuation;    /* owned, or NULL: handle_continue gets it at once */
    bool has_timeout;
    int64_t timeout_ms;
} cop_next;

static inline cop_next cop_next_make(enum cop_next_kind kind, cop_message *reply,
                                     const cop_reason *reason)
{
    cop_next next = { kind, reply, reason, NULL, false, 0 };
    return next;
}

/* From init. */
static inline cop_next cop_ok(void) { return cop_next_make(COP_NEXT_OK, NULL, NULL); }
static inline cop_next cop_ignore(void) { return cop_next_make(COP_NEXT_IGNORE, NULL, NULL); }
static inline cop_next cop_fail(const cop_reason *reason)
{
    return cop_next_make(COP_NEXT_FAIL, NULL, reason);
}
/* From any callback.  A reason is taken over. */
static inline cop_next cop_noreply(void) { return cop_next_make(COP_NEXT_NOREPLY, NULL, NULL); }
static inline cop_next cop_stop(const cop_reason *reason)
{
    return cop_next_make(COP_NEXT_STOP, NULL, reason);
}
/* From handle_call: cop_reply(request_type, .field = value, ...) answers with the
 * request's reply type; cop_stop_reply(reason, request_type, ...) stops as well: the reply
 * is sent after terminate has run, even if that crashed or was killed.  cop_reply_message
 * answers with a message made elsewhere. */
#define cop_reply(request_, ...)                                                         \
    cop_next_make(COP_NEXT_REPLY, cop_new(request_##_reply, __VA_ARGS__), NULL)
#define cop_stop_reply(reason_, request_, ...)                                           \
    cop_next_make(COP_NEXT_STOP, cop_new(request_##_reply, __VA_ARGS__), (reason_))
static inline cop_next cop_reply_message(cop_message *reply)
{
    return cop_next_make(COP_NEXT_REPLY, reply, NULL);
}
/* Added to a return value that goes on.  With a timeout, handle_info gets a
 * cop_timeout_message if no message comes within timeout_ms; a continuation is handled
 * before any queued message:  return cop_then_continue(cop_ok(), load, .file = f);
 * With both, the continuation's return value says whether there is a timeout. */
static inline cop_next cop_then_timeout(cop_next next, int64_t timeout_ms)
{
    next.has_timeout = true;
    next.timeout_ms = timeout_ms;
    return next;
}
static inline cop_next cop_then_continue_message(cop_next next, cop_message *continuation)
{
    next.continuation = continuation;
    return next;
}
#define cop_then_continue(next_, type_, ...)                                             \
    cop_then_continue_message((next_), cop_new(type_, __VA_ARGS__))

/* ---- the server's description ---------------------------------------------------------- */

/* Who called: where the reply goes.  A value; may be kept, sent, and answered once by
 * anybody, at any time.  A reply that is too late is dropped. */
typedef struct cop_from {
    cop_ref alias;
} cop_from;

typedef struct cop_gen_server {
    const char *name;        /* register under it; NULL: no name */
    const char *label;       /* for reports; NULL: the name */
    size_t state_size;       /* the state, zeroed, is the first parameter of each callback */
    /* Every callback may be NULL.  init: the state stays zeroed.  handle_info: the message
     * is logged and dropped.  terminate: nothing.  Any other: its message ends the server
     * with error "undef: handle_call" and so on. */
    cop_next (*init)(void *state, const void *argument);
    cop_next (*handle_call)(void *state, const cop_message *request, cop_from from);
    cop_next (*handle_cast)(void *state, const cop_message *message);
    cop_next (*handle_info)(void *state, const cop_message *message);
    cop_next (*handle_continue)(void *state, const cop_message *message);
    void (*terminate)(void *state, const cop_reason *reason);
    /* Called once, when its supervisor wants to stop it and gives it time (child.h, drain_ms): take
     * nothing new on.  cop_stop(COP_SHUTDOWN) says that what was begun is done; after cop_noreply
     * a later callback says so.  NULL: the server ends with shutdown, for all that came before
     * has been handled. */
    cop_next (*handle_drain)(void *state);
    size_t stack_bytes;      /* 0: the default */
    size_t max_memory;       /* bytes from cop_alloc, its state among them; 0: no limit */
    cop_mailbox_bound mailbox;   /* of calls, casts and plain messages that wait; 0: none */
} cop_gen_server;

/* ---- starting and stopping ------------------------------------------------------------- */

/* [may block] Starts a server and waits until init has returned.  Optional fields of
 * cop_start_options follow: cop_gen_server_start_link(&counter, .argument = &n,
 * .argument_size = sizeof n); a name there is used in place of the server's.  `server` must stay
 * valid while it runs; so does a copied argument.  See cop_started for the results; init's
 * cop_stop(reason) and cop_fail(reason) give COP_EFAILED with it.  Linked, the starter is the
 * server's parent. */
cop_started cop_gen_server_start_opt(const cop_gen_server *server,
                                     const cop_start_options *options);
#define cop_gen_server_start(server_, ...)                                               \
    cop_gen_server_start_opt((server_), &(cop_start_options){ .link = false, __VA_ARGS__ })
#define cop_gen_server_start_link(server_, ...)                                          \
    cop_gen_server_start_opt((server_), &(cop_start_options){ .link = true, __VA_ARGS__ })

/* To stop one: cop_stop_process(cop_to(server), COP_NORMAL, COP_INFINITY). */

/* ---- calling --------------------------------------------------------------------------- */

enum { COP_CALL_TIMEOUT_MS = 5000 };

/* [may block] Sends a request and waits for the answer.  Takes the request over.  Returns 0
 * and the reply, which the caller owns, in *ret_reply; or
 *   COP_ENOPROC   no such process;
 *   COP_ETIMEOUT  no answer in time: the server still handles the request, but a late
 *                 reply never reaches this mailbox;
 *   COP_EDOWN     the server ended first; *ret_reason (if not NULL) is owned by the caller;
 *   COP_ESELF     a server called itself;
 *   COP_EFULL     its mailbox is bounded and full, and it does not let senders wait: the request
 *                 was not taken; where senders wait (COP_MAILBOX_BLOCK) it is, and the time runs;
 *   COP_EINVAL, COP_EOUTSIDE.
 * OTP exits the caller instead; cop_must does.  OTP: gen_server:call/3. */
int cop_call_message(cop_dest server, cop_message *request, int64_t timeout_ms,
                     cop_message **ret_reply, const cop_reason **ret_reason);

/* The typed form: on success copies a reply of type `type` into *ret; what its fields own is
 * the caller's then.  NULL: drops it.  COP_EREPLY when the server answered with another type. */
int cop_call_typed(cop_dest server, cop_message *request, int64_t timeout_ms,
                   const cop_message_type *type, void *ret);

/* cop_call(server, &reply, request, .field = value, ...): server is a pid or a name, reply a
 * request_reply.  Waits COP_CALL_TIMEOUT_MS, or the given time. */
#define cop_call_timeout(server_, timeout_ms_, ret_, request_, ...)                      \
    cop_call_typed(cop_to(server_), cop_new(request_, __VA_ARGS__), (timeout_ms_),       \
                   COP_TYPE(request_##_reply), (request_##_reply *){ (ret_) })
#define cop_call(server_, ret_, request_, ...)                                           \
    cop_call_timeout(server_, COP_CALL_TIMEOUT_MS, ret_, request_, __VA_ARGS__)

/* [any thread] Sends without waiting for an answer.  Takes the message over; returns 0, even if
 * nobody is there; COP_EFULL when the server's mailbox is full and it refuses what is too much, or
 * lets senders wait and the caller cannot (process.h, cop_mailbox_bound; with COP_MAILBOX_BLOCK a
 * cast waits for room, without a time limit).  OTP: gen_server:cast/2. */
int cop_cast_message(cop_dest server, cop_message *message);
#define cop_cast(server_, type_, ...) cop_cast_message(cop_to(server_), cop_new(type_, __VA_ARGS__))

/* [any thread] Answers a call from outside of its handle_call.  Takes the reply over.
 * OTP: gen_server:reply/2. */
void cop_answer_message(cop_from from, cop_message *reply);
#define cop_answer(from_, request_, ...)                                                 \
    cop_answer_message((from_), cop_new(request_##_reply, __VA_ARGS__))

/* Ends the calling process with error "WHAT: ERROR TEXT" if error is negative; returns it. */
int cop_must_named(int error, const char *what);
#define cop_must(call_) cop_must_named((call_), #call_)

/* The same for a start, with its reason: cop_must_start(cop_supervisor_start_link(&top)) gives
 * the pid, COP_NO_PID if init returned ignore, or ends the caller with error "WHAT: ERROR TEXT:
 * REASON". */
cop_pid cop_must_start_named(cop_started started, const char *what);
#define cop_must_start(...) cop_must_start_named((__VA_ARGS__), #__VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
