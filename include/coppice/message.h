/* message.h - typed messages: declaring, making, sending, receiving.
 *
 * Concept.  A message type is declared once, at file scope or in a header:
 *
 *     COP_MESSAGE(ping, { int n; });
 *     COP_CALL(add, { int amount; }, { int total; });   // a request and its reply
 *
 * This makes the C type `ping` (for COP_CALL: `add` and `add_reply`) and a type
 * descriptor that travels with each message.  Sending takes the type's name and
 * its fields, so the wrong struct does not compile:
 *
 *     cop_send(pid, ping, .n = 3);
 *     const cop_message *m = cop_receive(COP_INFINITY);
 *     const ping *p = cop_get(m, ping);                  // NULL if it is another type
 *
 * A mailbox has no bound unless its process set one (cop_mailbox_bound, process.h), and
 * keeps messages in order of arrival; of one sender,
 * that is the order of sending, over all kinds of signals (links, exits, downs).
 * OTP: erlang:send/2, receive.
 *
 * Life cycle.  cop_new -> (sent: the receiver's) -> taken or received -> freed.  A message that
 * a process has made or taken, and neither sent nor freed, dies with that process; so it
 * must not be handed to another process in any other way than by sending it.
 * Fields are copied as bytes.  A type whose fields own something has a drop
 * function (COP_MESSAGE_WITH), called when the message is freed, read or not: by its holder, at its
 * holder's end, or, if it reached nobody, wherever that was found out, also outside of any process.
 * It must not wait, nor use what is marked [process]; where no process runs, a crash in it ends the
 * node.
 *
 * Threads.  Making and sending: any thread.  Receiving: a process. */
#ifndef COPPICE_MESSAGE_H
#define COPPICE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <coppice/reason.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- pids, references, destinations ---------------------------------------------------- */

/* A process identifier; never given to a second process.  Zero is no process. */
typedef struct cop_pid { uint64_t bits; } cop_pid;

/* A reference: unique for ever.  Names a monitor, an alias or a timer of `owner`.
 * Zero is no reference. */
typedef struct cop_ref { cop_pid owner; uint64_t serial; } cop_ref;

#ifdef __cplusplus
#define COP_NO_PID (cop_pid{0})
#define COP_NO_REF (cop_ref{{0}, 0})
#else
#define COP_NO_PID ((cop_pid){ 0 })
#define COP_NO_REF ((cop_ref){ { 0 }, 0 })
#endif

static inline bool cop_pid_equal(cop_pid a, cop_pid b) { return a.bits == b.bits; }
static inline bool cop_pid_is_none(cop_pid a) { return a.bits == 0; }
static inline bool cop_ref_equal(cop_ref a, cop_ref b)
{
    return a.owner.bits == b.owner.bits && a.serial == b.serial;
}

/* [any thread] Prints a pid as <index.generation>; like snprintf. */
int cop_pid_format(cop_pid pid, char *buffer, size_t size);

/* A name in another directory than the runtime's own: resolve finds its process, or no process;
 * take registers the calling process, as cop_registry_register_value does.  registry.h and
 * partition_supervisor.h make such names.  OTP: {via, Module, Term}. */
typedef struct cop_via_name {
    cop_pid (*resolve)(const struct cop_via_name *via);                  /* [any thread] */
    int (*take)(const struct cop_via_name *via, cop_pid *ret_holder);    /* [process]; or NULL */
    const void *directory;
    const char *key;           /* or NULL */
    int64_t number;
} cop_via_name;

/* Where a message or a monitor goes: a pid, an alias, a registered name or a via name. */
typedef struct cop_dest {
    cop_pid pid;               /* the process; of an alias, its owner */
    uint64_t alias;            /* the alias's serial, or 0 */
    const char *name;          /* borrowed for the call, or NULL */
    const cop_via_name *via;   /* borrowed for the call, or NULL */
} cop_dest;

static inline cop_dest cop_to_pid(cop_pid pid)
{
    cop_dest dest = { pid, 0, NULL, NULL };
    return dest;
}
static inline cop_dest cop_to_alias(cop_ref alias)
{
    cop_dest dest = { alias.owner, alias.serial, NULL, NULL };
    return dest;
}
static inline cop_dest cop_to_name(const char *name)
{
    cop_dest dest = { { 0 }, 0, name, NULL };
    return dest;
}
static inline cop_dest cop_to_via(const cop_via_name *via)
{
    cop_dest dest = { { 0 }, 0, NULL, via };
    return dest;
}
static inline cop_dest cop_to_dest(cop_dest dest) { return dest; }

/* cop_to(x): a destination from a pid, an alias (a cop_ref), a name or a destination. */
#ifdef __cplusplus
} /* extern "C": overloads are C++ */
static inline cop_dest cop_to(cop_pid pid) { return cop_to_pid(pid); }
static inline cop_dest cop_to(cop_ref alias) { return cop_to_alias(alias); }
static inline cop_dest cop_to(const char *name) { return cop_to_name(name); }
static inline cop_dest cop_to(cop_dest dest) { return dest; }
extern "C" {
#else
#define cop_to(x)                                                                        \
    _Generic((x), cop_pid: cop_to_pid, cop_ref: cop_to_alias, char *: cop_to_name,       \
             const char *: cop_to_name, cop_dest: cop_to_dest)(x)
#endif

/* ---- types and messages ---------------------------------------------------------------- */

/* A type descriptor.  Two messages are of one type if they have the same one. */
typedef struct cop_message_type {
    const char *name;              /* shown in traces and reports */
    size_t size;                   /* bytes of the C struct */
    void (*drop)(void *payload);   /* frees what the fields own; NULL: nothing */
} cop_message_type;

/* What a message is to a server; a plain send makes COP_INFO. */
enum cop_message_kind { COP_INFO, COP_CAST, COP_CALL_REQUEST, COP_REPLY, COP_SYSTEM };

/* A message.  Readable by its holder; written only between cop_new and sending. */
typedef struct cop_message {
    const cop_message_type *type;
    cop_pid from;      /* the sending process, or no process */
    uint64_t ref;      /* the receiver's reference it belongs to (reply, down, timer),
                        * or of a request the caller's alias; 0: none */
    uint32_t size;     /* bytes of payload: type->size plus any extra */
    uint8_t kind;      /* enum cop_message_kind */
    uint8_t flags;     /* the runtime's */
    uint16_t reserved;
} cop_message;

/* COP_MESSAGE(name, { fields }): declares the message type `name`.
 * COP_MESSAGE_WITH(name, { fields }, drop): with a function to free what its fields own.
 * COP_CALL(name, { fields }, { reply fields }): a request and its reply, name_reply; write
 * the request's fields one a declaration (`int a; int b;`), a comma would end the argument.
 * The descriptor is weak, so that a header may declare it for many files: one stays. */
#define COP_MESSAGE_WITH(name_, body_, drop_)                                            \
    typedef struct name_ body_ name_;                                                    \
    extern __attribute__((weak)) const cop_message_type cop_type_##name_;                \
    const cop_message_type cop_type_##name_ = { #name_, sizeof(name_), drop_ }
#define COP_MESSAGE(name_, ...) COP_MESSAGE_WITH(name_, COP_BODY(__VA_ARGS__), NULL)
#define COP_CALL(name_, body_, ...)                                                      \
    COP_MESSAGE_WITH(name_, COP_BODY(body_), NULL);                                      \
    COP_MESSAGE_WITH(name_##_reply, COP_BODY(__VA_ARGS__), NULL)
#define COP_BODY(...) __VA_ARGS__
#define COP_EMPTY { char cop_empty; }     /* the body of a message without fields */
#define COP_TYPE(name_) (&cop_type_##name_)

/* [any thread] A new message of the type with `extra` bytes behind the struct;
 * the payload is copied from `payload` (type->size + extra bytes), or zeroed
 * when it is NULL.  Owned by the caller until sent or freed.  NULL without memory;
 * inside a process that ends it instead (error enomem). */
cop_message *cop_message_new(const cop_message_type *type, const void *payload, size_t extra);

/* cop_new(type, .field = value, ...): a new message, in one expression. */
#define cop_new(type_, ...) cop_message_new(COP_TYPE(type_), &(type_){ __VA_ARGS__ }, 0)

/* [any thread] Frees a message that was made and not sent, or taken. NULL is accepted. */
void cop_message_free(cop_message *message);

/* The payload. */
static inline void *cop_payload(cop_message *message) { return message + 1; }
static inline const void *cop_payload_const(const cop_message *message) { return message + 1; }

/* [any thread] The payload if the message is of that type, else NULL. */
static inline const void *cop_message_get(const cop_message *message, const cop_message_type *type)
{
    return message != NULL && message->type == type ? cop_payload_const(message) : NULL;
}

/* [process] The payload; another type ends the process with error
 * "bad_message: expected X, got Y" (a function_clause in OTP). */
const void *cop_message_expect(const cop_message *message, const cop_message_type *type);

#define cop_get(message_, type_) ((const type_ *)cop_message_get((message_), COP_TYPE(type_)))
#define cop_expect(message_, type_) ((const type_ *)cop_message_expect((message_), COP_TYPE(type_)))
#define cop_is(message_, type_) (cop_message_get((message_), COP_TYPE(type_)) != NULL)

/* ---- sending --------------------------------------------------------------------------- */

/* [any thread] Sends a message; waits only for room in a mailbox that lets senders wait
 * (COP_MAILBOX_BLOCK).  Takes the message over, whatever it returns.  A dead process or an
 * inactive alias drops it silently.  One that was received may be passed on: it keeps its kind and
 * from; its ref, unless it is a request, becomes 0.
 * Returns 0; COP_ENOPROC when the destination is a name or a via name that nobody has
 * (OTP: badarg); COP_EFULL when the receiver's mailbox is full and it refuses what is too much;
 * COP_EINVAL for NULL. */
int cop_send_message(cop_dest to, cop_message *message);

/* [any thread] cop_send_message of a new message of the type, its payload (type->size bytes)
 * copied, without ever holding it: the cheapest way to send. */
int cop_send_new(cop_dest to, const cop_message_type *type, const void *payload);

/* cop_send(to, type, .field = value, ...): to a pid, an alias, a name. */
#define cop_send(to_, type_, ...)                                                        \
    cop_send_new(cop_to(to_), COP_TYPE(type_), &(type_){ __VA_ARGS__ })

/* ---- receiving ------------------------------------------------------------------------- */

/* Timeouts are milliseconds; 0 looks without waiting. */
enum { COP_INFINITY = -1 };

/* Which messages a selective receive accepts; a zero field accepts all. */
typedef struct cop_match {
    const cop_message_type *type;
    cop_ref ref;        /* message->ref is this reference's serial */
    cop_pid from;       /* message->from is this process */
    bool (*accept)(const cop_message *message, void *context);   /* NULL: all; must not wait */
    void *context;
} cop_match;

/* [process] [may block] Waits for the first message in the mailbox that matches
 * (NULL: any) and takes it out; those before it stay, in order.  NULL when
 * timeout_ms passed.  The caller owns the message and frees or sends it.
 * An exit signal may end the process here.  A receive by a fresh reference
 * (monitor, alias) does not look at what was queued before the reference was made, and one by type
 * alone does not look again at what the last one for that type has passed over. */
cop_message *cop_take(const cop_match *match, int64_t timeout_ms);

/* [process] [may block] As cop_take, but the message stays the runtime's: it is
 * valid until this process's next cop_receive/cop_receive_match or its end. */
const cop_message *cop_receive(int64_t timeout_ms);
const cop_message *cop_receive_match(const cop_match *match, int64_t timeout_ms);

/* cop_receive_type(type, timeout_ms): waits for that type; const type * or NULL. */
#define cop_receive_type(type_, timeout_ms_)                                             \
    cop_get(cop_receive_match(&(cop_match){ .type = COP_TYPE(type_) }, (timeout_ms_)), type_)

/* [process] Messages waiting in this process's mailbox, those not yet looked at included. */
size_t cop_mailbox_length(void);

/* ---- messages that the runtime sends --------------------------------------------------- */

/* An exit signal, to a process that traps exits ({'EXIT', From, Reason}). */
typedef struct cop_exit_message { cop_pid from; const cop_reason *reason; } cop_exit_message;
/* A monitored process ended ({'DOWN', Ref, process, Object, Reason}). */
typedef struct cop_down_message {
    cop_ref ref;
    cop_pid pid;                /* the process; no process when the name had none */
    const char *name;           /* the name it was monitored by, or NULL */
    const cop_reason *reason;
} cop_down_message;
/* A server's timeout (the atom timeout, to handle_info). */
typedef struct cop_timeout_message { char cop_empty; } cop_timeout_message;
extern const cop_message_type cop_type_cop_exit_message, cop_type_cop_down_message,
    cop_type_cop_timeout_message;

#ifdef __cplusplus
}
#endif
#endif
