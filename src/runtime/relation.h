/* relation.h - links, monitors, aliases and timers of a process, in one table.
 *
 * Each side of a link or a monitor has its own record, changed only by its owner in
 * reaction to signals; nothing is shared.  The key says where to look, the kind and the rest
 * whether it is the one:
 *
 *   kind            key              what it says
 *   LINK            peer's pid       linked; while `serial` is not 0, being unlinked
 *   MONITOR         own serial       this process watches `other`
 *   WATCHER         owner ^ serial   `other` watches this process, by its `serial`
 *   ALIAS           own serial       messages through it are accepted
 *   TIMER           own serial       a timer of this process; struct relation_timer
 *   ROOM            own serial       this process waits for room in another's mailbox
 *
 * A call needs but two signals.  Its request carries the monitor (SIGNAL_MONITORS); a reply by the
 * monitored process through the monitor's one-shot alias ends both sides: the sender drops its
 * WATCHER and says so in the message (SIGNAL_ENDS_MONITOR), the receiver drops its MONITOR.  If the
 * alias is not active any more but the monitor is, it is set up anew.
 *
 * Unlinking is in two phases (after OTP's): unlink marks the link with a new serial and sends
 * UNLINK(serial); the peer drops its side and answers UNLINK_ACK(serial); then this side is
 * dropped.  A link that is made again meanwhile clears the mark, so the late acknowledgement
 * finds another serial and does nothing; an UNLINK that arrives while this side is being unlinked
 * too leaves the mark, so that a LINK behind it is not taken for a new one. */
#ifndef COPI_RELATION_H
#define COPI_RELATION_H

#include <coppice/process.h>

#include "../base/hash.h"
#include "timer.h"

struct process;
struct signal;

enum relation_kind {
    RELATION_LINK, RELATION_MONITOR, RELATION_WATCHER, RELATION_ALIAS, RELATION_TIMER,
    RELATION_ROOM
};

struct relation {
    struct hash_node node;
    uint64_t serial;           /* LINK: of the unlink under way; WATCHER: the watcher's; TIMER: of
                                * the alias it sends to, or 0 */
    uint8_t kind;
    uint8_t block_class;
    uint8_t alias;             /* MONITOR, ALIAS, WATCHER: enum cop_alias_mode; TIMER: 1 if its
                                * message has a drop function */
    bool named;                /* MONITOR, TIMER: has a name, owned */

    /* -- a LINK ends here; one of a deterministic run has the next word: link_order.h's age -- */
    cop_pid other;             /* MONITOR, WATCHER; TIMER: whom it sends to */
    char *name;                /* MONITOR: the name it was made by, TIMER: that it sends to */
};

/* There may be millions of links. */
enum { COPI_LINK_BYTES = offsetof(struct relation, other) };
_Static_assert(COPI_LINK_BYTES == 32, "a link is in the smallest block of the slab");

struct relation_timer {
    struct relation relation;
    struct timer timer;
    struct wheel_node node;    /* while it is in the wheel */
    struct signal *signal;     /* the message, its target the owner, until it fires; under the
                                * heap's lock */
};

static inline struct relation_timer *copi_relation_of_timer(struct timer *timer)
{
    return (struct relation_timer *)((char *)timer - offsetof(struct relation_timer, timer));
}

/* The record, or NULL. */
struct relation *copi_relation_find(struct process *process, enum relation_kind kind, uint64_t key);

/* Adds and removes; add ends the node without memory: half a link would be worse.  The size is a
 * link's, or that of a record with all that its kind has. */
struct relation *copi_relation_add(struct process *process, enum relation_kind kind, uint64_t key,
                                   size_t size);
void copi_relation_remove(struct process *process, struct relation *relation);

/* What add does with the record that it has taken from the slab; `other` is still to be set. */
static inline void copi_relation_put(struct hash *relations, struct relation *relation,
                                     enum relation_kind kind, uint64_t key, uint8_t block_class)
{
    relation->serial = 0;
    relation->kind = (uint8_t)kind;
    relation->block_class = block_class;
    relation->alias = COP_ALIAS_NONE;
    relation->named = false;
    copi_hash_insert(relations, &relation->node, key);
}

/* A new serial for a reference of the process. */
uint64_t copi_serial(struct process *process);

/* What arriving signals do (mailbox.c calls them).  Each frees the signal unless it says
 * otherwise. */
void copi_link_received(struct process *process, struct signal *signal);
void copi_unlink_received(struct process *process, struct signal *signal);
void copi_unlink_ack_received(struct process *process, struct signal *signal);
void copi_monitor_received(struct process *process, struct signal *signal);
void copi_demonitor_received(struct process *process, struct signal *signal);

/* Whether the link is active; drops this side's record. */
bool copi_link_take(struct process *process, cop_pid peer);
/* Turns a DOWN that is awaited into its message and returns true; else false. */
bool copi_down_received(struct process *process, struct signal *signal);
/* Whether a message that came through an alias may enter the mailbox; ends one-shot aliases. */
bool copi_alias_accepts(struct process *process, struct signal *signal);
/* The caller's side of a monitor. */
struct relation *copi_monitor_add(struct process *process, cop_pid target,
                                  enum cop_alias_mode alias, uint64_t serial);
/* A request that monitors was received by the process, or found at its end. */
void copi_request_monitors(struct process *process, const struct signal *signal);
/* It was meant for one that is dead: its sender is told. */
void copi_request_dead(const struct signal *signal);
/* Before a message is sent through an alias: whether it ends the monitor that the alias is part of,
 * because the process is the monitored one.  Its side is dropped then. */
bool copi_alias_ends_monitor(struct process *process, cop_pid owner, const struct signal *signal);

/* Atomic with a spawn, before the child runs. */
void copi_link_born(struct process *parent, struct process *child);
cop_ref copi_monitor_born(struct process *parent, struct process *child, enum cop_alias_mode alias);

/* At the end of a process: stops its timers; then, when all else is released, tells its links and
 * monitors. */
void copi_relations_stop_timers(struct process *process);
void copi_relations_tell(struct process *process, cop_pid pid, const cop_reason *reason);

#endif
