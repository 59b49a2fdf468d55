/* process.h - processes: spawn, exit, links, monitors, aliases, names.
 *
 * Concept.  A process is a function with a mailbox that runs on its own, shares
 * nothing by default, and dies alone: by returning (normal), by cop_exit or
 * cop_raise, by an exit signal, or by a native crash (SIGSEGV, SIGBUS, SIGFPE,
 * SIGILL, SIGTRAP, abort, failed assert, stack overflow, a call of exit), which is an exit
 * reason like any other.  What it owns is released first (memory.h, names, timers, unread
 * messages), then its links and monitors hear.  OTP: erlang:spawn, link, monitor.
 *
 * Life cycle.  spawned -> running <-> waiting -> exiting -> gone.
 * A process holds a stack only from its first blocking call in the middle of a
 * function until that function ends; cop_become gives it back altogether.
 *
 * Threads.  [process]: call it in a process.  While a process holds a stack it
 * stays on one scheduler thread, so errno and thread-locals keep their meaning
 * within a function; they belong to the thread, not to the process.
 *
 * Signals between two processes arrive in the order in which they were sent,
 * whatever their kind.  They take effect when the receiver next enters the
 * runtime to wait (receive, call, sleep, yield) or returns to it. */
#ifndef COPPICE_PROCESS_H
#define COPPICE_PROCESS_H

#include <coppice/error.h>
#include <coppice/message.h>
#include <coppice/reason.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- starting -------------------------------------------------------------------------- */

/* What a process runs.  Returning ends it with reason normal. */
typedef void cop_function(void *argument);

/* How many messages may wait in a mailbox, and what happens to one more.  Counted are plain
 * messages, casts and requests, received or not, until they are taken.  Exits, downs, links and
 * monitors, replies, what is sent through an alias (requests excepted), timers' and system messages
 * always arrive and do not count.
 *
 * A request (a call's) is never dropped in silence, for its caller waits: to a full mailbox of the
 * first three kinds it gets COP_EFULL at once.
 *
 *   FAIL         the sender gets COP_EFULL, the message is freed
 *   DROP_NEWEST  the message is freed, the sender gets 0
 *   DROP_OLDEST  the oldest that is no request is freed, when the receiver next looks; while it
 *                does not, senders see to it that no more than 3 * limit and a few are kept
 *   BLOCK        the message is put behind the others and its sender waits until it is among the
 *                first `limit`, or the receiver is dead; it can be killed meanwhile.  So the
 *                mailbox has up to one more for each process that sends, and a receive that looks
 *                for a message finds it though its sender waits.  A caller waits for its answer as
 *                it is.  Who cannot wait gets COP_EFULL and the message is freed: the receiver
 *                itself, what is no process (a blocking function, too), a deferred action, a drop
 *                function, a cop_match's accept.  Two that send to each other so may wait for each
 *                other for ever. */
enum cop_when_full {
    COP_MAILBOX_FAIL, COP_MAILBOX_DROP_NEWEST, COP_MAILBOX_DROP_OLDEST, COP_MAILBOX_BLOCK
};

typedef struct cop_mailbox_bound {
    size_t limit;                  /* 0: none */
    enum cop_when_full when_full;
} cop_mailbox_bound;

/* The life of an alias; 0: a plain monitor, no alias. */
enum cop_alias_mode {
    COP_ALIAS_NONE = 0,
    COP_ALIAS_EXPLICIT,          /* until cop_unalias */
    COP_ALIAS_DEMONITOR,         /* until demonitor or the down message */
    COP_ALIAS_REPLY,             /* until the first message through it; with a monitor,
                                  * that message takes the monitor off too */
    COP_ALIAS_ACK                /* the same, of messages of kind COP_REPLY alone */
};

typedef struct cop_spawn_options {
    bool link;             /* link it to the caller, atomically with its start */
    bool monitor;          /* monitor it, atomically; ret_ref gets the reference */
    enum cop_alias_mode alias_mode;    /* with monitor: whether the reference is an alias too */
    cop_ref *ret_ref;      /* where monitor's reference goes */
    bool trap_exit;        /* start with trap_exit on */
    const char *label;     /* for reports; must outlive the process (a literal) */
    size_t stack_bytes;    /* stack size; 0: the default, 64 KiB. Rounded up to a power of two */
    size_t max_memory;     /* see cop_limit_memory (memory.h); 0: no limit */
    cop_mailbox_bound mailbox;
} cop_spawn_options;

/* [any thread; link and monitor: process] Starts a process that runs
 * function(argument).  With size > 0 the argument is `size` bytes that are
 * copied into the process's own memory, and function gets the copy; with 0 the
 * pointer itself is passed and must stay valid as long as the process uses it.
 * Returns the pid, or COP_NO_PID when there is no memory or the limit of processes
 * is reached (OTP: system_limit).  OTP: spawn, spawn_link, spawn_monitor, spawn_opt. */
cop_pid cop_spawn(cop_function *function, const void *argument, size_t size);
cop_pid cop_spawn_link(cop_function *function, const void *argument, size_t size);
cop_pid cop_spawn_monitor(cop_function *function, const void *argument, size_t size,
                          cop_ref *ret_ref);
cop_pid cop_spawn_opt(cop_function *function, const void *argument, size_t size,
                      const cop_spawn_options *options);

/* [any thread] The calling process, or COP_NO_PID outside of a process. */
cop_pid cop_self(void);

/* [process] The process that spawned this one, or no process. */
cop_pid cop_parent(void);

/* [process] The parent, the parent's parent and so on, as far as they are known: the list ends
 * with the first process, or behind one that has ended, whose own parent is forgotten.  The first
 * `room` of them go to ret_pids; returns how many there are.  OTP: $ancestors. */
size_t cop_ancestors(cop_pid *ret_pids, size_t room);

/* [any thread] The living processes that have `ancestor` among their ancestors, in no order: the
 * first `room` of them go to ret_pids; returns how many there are.  Looks at every process there
 * is; those behind an ended process are not found. */
size_t cop_descendants(cop_pid ancestor, cop_pid *ret_pids, size_t room);

/* [process] The reference that the spawner got when it spawned this one with monitor and
 * alias, else COP_NO_REF: where to send what the spawner waits for by that reference.  Once
 * the spawner has taken its monitor off, what is sent there is dropped. */
cop_ref cop_parent_alias(void);

/* [any thread] Whether the process exists and has not begun to exit.  A process
 * that was sent a deadly signal counts as alive until it has received it. */
bool cop_is_alive(cop_pid pid);

/* [any thread] How many processes exist. */
size_t cop_process_count(void);

/* [process] Gives the others a turn, then goes on.  [may block] */
void cop_yield(void);

/* [process] [may block] Waits; messages stay in the mailbox.  OTP: timer:sleep/1. */
void cop_sleep(int64_t ms);

/* ---- serving without a stack ----------------------------------------------------------- */

/* Called for each message, in order of arrival; NULL when the time set by
 * cop_become_timeout passed with no message.  The message is freed after the handler
 * returns unless the handler called cop_message_keep.  A handler may block where
 * it likes; while it does, the process holds a stack. */
typedef void cop_handler(void *state, cop_message *message);

/* [process] Ends the running function without ending the process: from now on
 * handler(state, message) is called for each message, on a stack that is borrowed
 * for that time.  An idle process of this kind holds no stack.  State must
 * outlive the process's interest in it: take it from cop_alloc.
 * The nearest OTP relative is proc_lib:hibernate/3. */
#if defined(__GNUC__)
__attribute__((noreturn))
#endif
void cop_become(cop_handler *handler, void *state);

/* [process] In a handler, or before cop_become: call the handler with NULL if no
 * message arrives within timeout_ms from now (0: if none is there when the handler
 * returns).  Holds for the next wait only; without it the wait has no end. */
void cop_become_timeout(int64_t timeout_ms);

/* [process] In a handler: the message now belongs to the caller, who frees or sends it. */
void cop_message_keep(cop_message *message);

/* ---- limits ---------------------------------------------------------------------------- */

/* [process] Bounds the caller's mailbox from now on, or no more (limit 0); what has come unbounded
 * is not counted.  Returns 0; COP_EINVAL for an unknown when_full; COP_ENOMEM. */
int cop_limit_mailbox(cop_mailbox_bound bound);

/* [process] How many messages were dropped because the caller's mailbox was full: by DROP_NEWEST
 * and DROP_OLDEST, not those whose senders got COP_EFULL. */
uint64_t cop_mailbox_dropped(void);

/* ---- exits ----------------------------------------------------------------------------- */

/* [process] Ends the calling process.  Takes the reason over.  OTP: exit/1. */
#if defined(__GNUC__)
__attribute__((noreturn))
#endif
void cop_exit(const cop_reason *reason);

/* [process] Ends it with an error text, printf-like: let it crash.  OTP: error/1. */
#if defined(__GNUC__)
__attribute__((noreturn, format(printf, 1, 2)))
#endif
void cop_raise(const char *format, ...);

/* [any thread] Sends an exit signal; takes the reason over.  `normal` does nothing
 * to another process unless it traps exits; `kill` ends any process, untrappably,
 * with reason `killed`; any other ends a process that does not trap exits.
 * To itself: `normal` too ends it; if the signal is deadly it does not return.
 * A dead pid is ignored.  OTP: exit/2. */
void cop_exit_process(cop_pid pid, const cop_reason *reason);

/* [process] While on, exit signals arrive as cop_exit_message instead of ending the
 * process.  Returns the old value.  OTP: process_flag(trap_exit, _). */
bool cop_trap_exit(bool on);

/* ---- links ----------------------------------------------------------------------------- */

/* [process] Links the caller and pid: when one ends the other gets an exit signal.
 * Idempotent; to itself it does nothing.  Returns 0; for a dead pid COP_ENOPROC, or,
 * when the caller traps exits, 0 and an exit message with reason noproc.
 * OTP: link/1. */
int cop_link(cop_pid pid);

/* [process] Takes the link away: after it returns, the link has no effect on the
 * caller any more; an exit message may be in the mailbox already.  OTP: unlink/1. */
void cop_unlink(cop_pid pid);

/* ---- monitors and aliases -------------------------------------------------------------- */

/* [process] Monitors a process, by pid or by name (resolved now): one
 * cop_down_message when it ends, with reason noproc if it is dead already or
 * the name is nobody's.  Monitors stack.  OTP: monitor/2, monitor/3. */
cop_ref cop_monitor_opt(cop_dest target, enum cop_alias_mode alias);
#define cop_monitor(target_) cop_monitor_opt(cop_to(target_), COP_ALIAS_NONE)

/* [process] A request and a monitor of its receiver in one signal: *ret_ref is what
 * cop_monitor_opt(cop_to(pid), COP_ALIAS_REPLY) would give, and the message is sent with
 * the caller as its from and that reference as its ref.  A reply of the process through
 * the reference (cop_to_alias) takes the monitor off on both sides at no further cost; what
 * gen_server's calls are made of.  Takes the message over, whatever it returns.
 * Returns 0, also for a process that is dead (then there will be a down message with noproc);
 * COP_EFULL when its mailbox is full, without a monitor; COP_EINVAL for NULL, no process and
 * the caller itself.  OTP: gen's monitor with alias reply_demonitor, and the send. */
int cop_send_request(cop_pid pid, cop_message *request, cop_ref *ret_ref);

/* [process] Takes a monitor off: no down message enters the mailbox afterwards.
 * demonitor returns whether the monitor was still on; one may be in the mailbox if
 * it was not.  demonitor_flush also removes that one.  OTP: demonitor(Ref, [info]),
 * demonitor(Ref, [flush, info]). */
bool cop_demonitor(cop_ref ref);
bool cop_demonitor_flush(cop_ref ref);

/* [process] Whether a monitor that this process made is still on.  Once it is not, all that its
 * reference will ever bring is in the mailbox.  OTP: process_info(self(), monitors). */
bool cop_is_monitoring(cop_ref ref);

/* [process] A reference that others can send to instead of the pid (cop_to takes
 * it); once it is inactive, messages sent through it are dropped before they reach
 * the mailbox.  Mode: COP_ALIAS_EXPLICIT or COP_ALIAS_REPLY.  unalias returns
 * whether it was active.  OTP: alias/1, unalias/1. */
cop_ref cop_alias(enum cop_alias_mode mode);
bool cop_unalias(cop_ref alias);

/* ---- names ----------------------------------------------------------------------------- */

enum { COP_NAME_MAX = 255 };  /* bytes of a name */

/* [process] Gives the calling process a name (copied).  One process a name, one name
 * a process; it is released when the process ends, before links and monitors hear.
 * Returns 0; COP_ENAME when taken or when the process has one; COP_EINVAL for an
 * empty name or one of more than COP_NAME_MAX bytes; COP_ENOMEM.  OTP: register/2. */
int cop_register(const char *name);

/* [any thread] Takes a name away from whoever has it.  COP_EINVAL if nobody has. */
int cop_unregister(const char *name);

/* [any thread] Who has the name; COP_NO_PID if nobody.  OTP: whereis/1. */
cop_pid cop_whereis(const char *name);

/* [any thread] The process behind a destination: names and via names are looked up, pids and
 * aliases give their process.  COP_NO_PID for an unknown name. */
cop_pid cop_resolve(cop_dest dest);

/* [any thread] Copies a process's name into buffer; "" if it has none.  Returns whether
 * it has one. */
bool cop_name_of(cop_pid pid, char *buffer, size_t size);

/* ---- groups ---------------------------------------------------------------------------- */

/* A process belongs to the group of the one that spawned it, and so do all that descend from it,
 * whoever between them has ended; the first process's group is 0.  Applications (application.h)
 * give out the numbers from 1 on.  OTP: group leaders. */
enum { COP_GROUP_MAX = 65535 };

/* [process] The caller's group. */
unsigned cop_group(void);

/* [process] Puts the caller into a group, and whomever it spawns from now on.  COP_EINVAL above
 * COP_GROUP_MAX. */
int cop_join_group(unsigned group);

/* [any thread] The living processes of a group, in no order: the first `room` of them go to
 * ret_pids; returns how many there are.  Looks at every process there is. */
size_t cop_group_members(unsigned group, cop_pid *ret_pids, size_t room);

/* ---- labels ---------------------------------------------------------------------------- */

/* [process] A text for reports and traces; must outlive the process.  OTP: set_label/1. */
void cop_set_label(const char *label);
const char *cop_label(void);

#ifdef __cplusplus
}
#endif
#endif
