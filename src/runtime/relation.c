/* relation.c - links, monitors and aliases: what the caller does, and what signals do. */
#include "relation.h"

#include <stdlib.h>
#include <string.h>

#include "../base/assert.h"
#include "../base/scarcity.h"
#include "link_order.h"
#include "mailbox.h"
#include "message.h"
#include "node.h"
#include "scheduler.h"

/* ---- the table ------------------------------------------------------------------------- */

struct relation *copi_relation_find(struct process *process, enum relation_kind kind, uint64_t key)
{
    struct hash_node *node = copi_hash_find(&process->relations, key);
    while (node != NULL && ((struct relation *)node)->kind != kind)
        node = copi_hash_again(node);
    return (struct relation *)node;
}

/* The block of a relation, without which the node ends. */
__attribute__((cold, noinline)) static void *needed_block(size_t size, uint8_t *ret_class)
{
    copi_needed_begin();
    void *block = copi_slab_take(copi_slab(), size, ret_class);
    copi_needed_end();
    if (block == NULL)
        copi_no_memory("a link, a monitor or a timer");
    return block;
}

struct relation *copi_relation_add(struct process *process, enum relation_kind kind, uint64_t key,
                                   size_t size)
{
    uint8_t class;
    struct relation *relation = copi_slab_take(copi_slab(), size, &class);
    if (__builtin_expect(relation == NULL, 0))
        relation = needed_block(size, &class);
    copi_relation_put(&process->relations, relation, kind, key, class);
    return relation;
}

/* The word that a link has in a deterministic run only. */
static uint64_t *age_of(struct relation *link)
{
    COP_ASSERT(link->kind == RELATION_LINK && copi_node.options.deterministic);
    return &link->other.bits;
}

static inline void relation_free(struct relation *relation)
{
    if (relation->named)
        free(relation->name);
    copi_slab_give(copi_slab(), relation, relation->block_class);
}

void copi_relation_remove(struct process *process, struct relation *relation)
{
    if (relation->kind == RELATION_LINK && copi_node.options.deterministic)
        copi_link_order_remove(copi_pid(process), *age_of(relation));
    copi_hash_remove(&process->relations, &relation->node);
    relation_free(relation);
}

uint64_t copi_serial(struct process *process)
{
    return ++process->last_serial;
}

static uint64_t watcher_key(cop_pid owner, uint64_t serial)
{
    return owner.bits ^ serial * 0x9e3779b97f4a7c15u;
}

/* ---- links ----------------------------------------------------------------------------- */

static struct relation *link_find(struct process *process, cop_pid peer)
{
    return copi_relation_find(process, RELATION_LINK, peer.bits);
}

static void link_add(struct process *process, cop_pid peer)
{
    bool deterministic = copi_node.options.deterministic;
    size_t size = COPI_LINK_BYTES + (deterministic ? sizeof(uint64_t) : 0);
    struct relation *link = copi_relation_add(process, RELATION_LINK, peer.bits, size);
    process->flags |= PROCESS_LINKED;
    if (deterministic)
        *age_of(link) = copi_link_order_add(copi_pid(process), peer);
}

void copi_link_received(struct process *process, struct signal *signal)
{
    if (link_find(process, signal->from) == NULL)
        link_add(process, signal->from);
    copi_signal_free(signal);
}

void copi_unlink_received(struct process *process, struct signal *signal)
{
    struct relation *link = link_find(process, signal->from);
    if (link != NULL && link->serial == 0)
        copi_relation_remove(process, link);
    cop_pid self = copi_pid(process);
    copi_signal_send(signal->from, copi_signal_new(SIGNAL_UNLINK_ACK, self, signal->serial, NULL));
    copi_signal_free(signal);
}

void copi_unlink_ack_received(struct process *process, struct signal *signal)
{
    struct relation *link = link_find(process, signal->from);
    if (link != NULL && link->serial == signal->serial)
        copi_relation_remove(process, link);
    copi_signal_free(signal);
}

bool copi_link_take(struct process *process, cop_pid peer)
{
    struct relation *link = link_find(process, peer);
    if (link == NULL)
        return false;
    bool active = link->serial == 0;
    copi_relation_remove(process, link);
    return active;
}

void copi_link_born(struct process *parent, struct process *child)
{
    link_add(parent, copi_pid(child));
    link_add(child, copi_pid(parent));
}

int cop_link(cop_pid pid)
{
    struct process *self = copi_self_checked("cop_link");
    int error = COP_OK;
    copi_enter(copi_scheduler);
    struct relation *link = link_find(self, pid);
    if (cop_pid_equal(pid, copi_pid(self)) || (link != NULL && link->serial == 0)) {
        /* to itself, or linked already: nothing to do; of a dead one the exit signal comes */
    } else if (copi_process_alive(pid) == NULL) {
        if (self->flags & PROCESS_TRAPS)
            copi_signal_send(copi_pid(self), copi_signal_new(SIGNAL_EXIT, pid, 0, COP_NOPROC));
        else
            error = COP_ENOPROC;
    } else {
        if (link == NULL)
            link_add(self, pid);
        else
            link->serial = 0;
        copi_signal_send(pid, copi_signal_new(SIGNAL_LINK, copi_pid(self), 0, NULL));
    }
    copi_leave(copi_scheduler);
    return error;
}

void cop_unlink(cop_pid pid)
{
    struct process *self = copi_self_checked("cop_unlink");
    copi_enter(copi_scheduler);
    struct relation *link = link_find(self, pid);
    if (link != NULL && link->serial == 0) {
        link->serial = copi_serial(self);
        copi_signal_send(pid, copi_signal_new(SIGNAL_UNLINK, copi_pid(self), link->serial, NULL));
    }
    copi_leave(copi_scheduler);
}

/* ---- monitors -------------------------------------------------------------------------- */

static struct relation *watcher_find(struct process *process, cop_pid owner, uint64_t serial)
{
    struct hash_node *node = copi_hash_find(&process->relations, watcher_key(owner, serial));
    for (; node != NULL; node = copi_hash_again(node)) {
        struct relation *relation = (struct relation *)node;
        if (relation->kind == RELATION_WATCHER && relation->serial == serial &&
            cop_pid_equal(relation->other, owner))
            return relation;
    }
    return NULL;
}

static void watcher_add(struct process *process, cop_pid owner, uint64_t serial,
                        enum cop_alias_mode alias)
{
    struct relation *watcher = copi_relation_add(process, RELATION_WATCHER,
                                                 watcher_key(owner, serial), sizeof *watcher);
    watcher->other = owner;
    watcher->serial = serial;
    watcher->alias = (uint8_t)alias;
}

void copi_monitor_received(struct process *process, struct signal *signal)
{
    watcher_add(process, signal->from, signal->serial, COP_ALIAS_NONE);
    copi_signal_free(signal);
}

__attribute__((noinline)) void copi_request_recorded(struct process *process,
                                                     struct signal *signal)
{
    copi_enter(copi_scheduler);
    signal->flags &= (uint16_t)~SIGNAL_MONITORS;
    watcher_add(process, signal->message.from, signal->message.ref, COP_ALIAS_REPLY);
    copi_leave(copi_scheduler);
}

/* Whether it is the request that monitors by that reference; it does so no more. */
static bool is_request(struct signal *signal, cop_pid owner, uint64_t serial)
{
    if (signal == NULL || (signal->flags & SIGNAL_MONITORS) == 0 ||
        signal->message.ref != serial || !cop_pid_equal(signal->message.from, owner))
        return false;
    signal->flags &= (uint16_t)~SIGNAL_MONITORS;
    return true;
}

static bool is_at_request(struct process *process, cop_pid owner, uint64_t serial)
{
    return is_request(process->current, owner, serial) ||
           is_request(process->received, owner, serial);
}

/* The monitor is taken off whose request nobody has replied to yet. */
static void request_taken_back(struct process *process, cop_pid owner, uint64_t serial)
{
    if (is_at_request(process, owner, serial))
        return;
    struct signal *signal = process->mailbox;
    for (int i = 0; i < COPI_UNRECORDED && signal != NULL; i++, signal = signal->next)
        if (is_request(signal, owner, serial))
            return;
}

void copi_request_dead(struct signal *signal)
{
    cop_pid dead = { signal->target };
    signal->flags &= (uint16_t)~SIGNAL_MONITORS;
    copi_signal_send(signal->message.from,
                     copi_signal_new(SIGNAL_DOWN, dead, signal->message.ref, COP_NOPROC));
}

/* Whether the message through the alias is the last one. */
static bool is_used_up(uint8_t mode, const cop_message *message)
{
    return mode == COP_ALIAS_REPLY || (mode == COP_ALIAS_ACK && message->kind == COP_REPLY);
}

bool copi_alias_ends_monitor(struct process *process, cop_pid owner, const struct signal *signal)
{
    if (is_at_request(process, owner, signal->alias))
        return true;
    struct relation *watcher = watcher_find(process, owner, signal->alias);
    if (watcher == NULL || !is_used_up(watcher->alias, &signal->message))
        return false;
    copi_relation_remove(process, watcher);
    return true;
}

void copi_demonitor_received(struct process *process, struct signal *signal)
{
    struct relation *watcher = watcher_find(process, signal->from, signal->serial);
    if (watcher != NULL)
        copi_relation_remove(process, watcher);
    else
        request_taken_back(process, signal->from, signal->serial);
    copi_signal_free(signal);
}

/* ---- the monitor of one's own request -------------------------------------------------- */

/* By the reference of the request that the wait_record has; it has none any more. */
static bool request_ends(struct process *process, uint64_t serial, cop_pid *ret_target)
{
    struct wait_record *wait = process->wait;
    if (wait == NULL || wait->request != serial || serial == 0)
        return false;
    wait->request = 0;
    *ret_target = wait->requested;
    return true;
}

void copi_request_begins(struct process *process, cop_pid target, uint64_t serial)
{
    struct wait_record *wait = process->wait;
    if (wait == NULL || wait->request != 0) {
        copi_monitor_add(process, target, COP_ALIAS_REPLY, serial);
        return;
    }
    wait->request = serial;
    wait->requested = target;
}

void copi_request_fails(struct process *process, uint64_t serial, struct signal *signal)
{
    cop_pid target;
    signal->flags &= (uint16_t)~SIGNAL_MONITORS;
    if (!request_ends(process, serial, &target))
        copi_relation_remove(process, copi_relation_find(process, RELATION_MONITOR, serial));
}

static void send_demonitor(struct process *process, cop_pid target, uint64_t serial)
{
    copi_signal_send(target, copi_signal_new(SIGNAL_DEMONITOR, copi_pid(process), serial, NULL));
}

void copi_request_abandoned(struct process *process)
{
    uint64_t serial = process->wait->request;
    cop_pid target;
    if (request_ends(process, serial, &target))
        send_demonitor(process, target, serial);
}

/* ---- the end of a monitor -------------------------------------------------------------- */

/* A monitor whose alias outlives it goes on as a plain alias. */
static void monitor_off(struct process *process, struct relation *monitor)
{
    if (monitor->alias == COP_ALIAS_EXPLICIT)
        monitor->kind = RELATION_ALIAS;
    else
        copi_relation_remove(process, monitor);
}

bool copi_down_received(struct process *process, struct signal *signal)
{
    cop_pid target;
    if (request_ends(process, signal->serial, &target)) {
        copi_signal_to_down_message(signal, NULL);
        return true;
    }
    struct relation *monitor = copi_relation_find(process, RELATION_MONITOR, signal->serial);
    if (monitor == NULL)
        return false;
    char *name = monitor->named ? monitor->name : NULL;
    monitor->named = false;
    copi_signal_to_down_message(signal, name);
    monitor_off(process, monitor);
    return true;
}

struct relation *copi_monitor_add(struct process *process, cop_pid target,
                                  enum cop_alias_mode alias, uint64_t serial)
{
    struct relation *monitor =
        copi_relation_add(process, RELATION_MONITOR, serial, sizeof *monitor);
    monitor->other = target;
    monitor->alias = (uint8_t)alias;
    return monitor;
}

cop_ref copi_monitor_born(struct process *parent, struct process *child, enum cop_alias_mode alias)
{
    cop_ref ref = { copi_pid(parent), copi_serial(parent) };
    copi_monitor_add(parent, copi_pid(child), alias, ref.serial);
    watcher_add(child, ref.owner, ref.serial, alias);
    return ref;
}

cop_ref cop_monitor_opt(cop_dest target, enum cop_alias_mode alias)
{
    struct process *self = copi_self_checked("cop_monitor");
    cop_pid pid = cop_resolve(target);
    cop_ref ref = { copi_pid(self), copi_serial(self) };
    copi_mailbox_mark(self, ref.serial);   /* the process may end here */
    char *name = target.name != NULL ? strdup(target.name) : NULL;
    copi_enter(copi_scheduler);
    if (cop_pid_equal(pid, ref.owner)) {
        free(name);                      /* a monitor of oneself yields nothing */
        if (alias != COP_ALIAS_NONE)
            copi_relation_add(self, RELATION_ALIAS, ref.serial, sizeof(struct relation))->alias =
                (uint8_t)alias;
    } else {
        struct relation *monitor = copi_monitor_add(self, pid, alias, ref.serial);
        monitor->name = name;
        monitor->named = name != NULL;
        if (copi_process_alive(pid) == NULL)
            copi_signal_send(ref.owner, copi_signal_new(SIGNAL_DOWN, pid, ref.serial, COP_NOPROC));
        else
            copi_signal_send(pid, copi_signal_new(SIGNAL_MONITOR, ref.owner, ref.serial, NULL));
    }
    copi_leave(copi_scheduler);
    return ref;
}

bool cop_demonitor(cop_ref ref)
{
    struct process *self = copi_self_checked("cop_demonitor");
    if (!cop_pid_equal(ref.owner, copi_pid(self)))
        return false;
    copi_enter(copi_scheduler);
    cop_pid target;
    bool was_on = request_ends(self, ref.serial, &target);
    struct relation *monitor = copi_relation_find(self, RELATION_MONITOR, ref.serial);
    struct relation *alias = copi_relation_find(self, RELATION_ALIAS, ref.serial);
    if (monitor != NULL) {
        was_on = true;
        target = monitor->other;
        monitor_off(self, monitor);
    }
    if (was_on) {
        send_demonitor(self, target, ref.serial);
    } else if (alias != NULL &&
               (alias->alias == COP_ALIAS_DEMONITOR || alias->alias == COP_ALIAS_ACK)) {
        copi_relation_remove(self, alias);   /* of a monitor of oneself */
    }
    copi_leave(copi_scheduler);
    return was_on;
}

bool cop_demonitor_flush(cop_ref ref)
{
    bool was_on = cop_demonitor(ref);
    if (!was_on) {
        cop_match down = { .type = COP_TYPE(cop_down_message), .ref = ref };
        cop_message_free(cop_take(&down, 0));
    }
    return was_on;
}

bool cop_is_monitoring(cop_ref ref)
{
    struct process *self = copi_self_checked("cop_is_monitoring");
    copi_mailbox_drain(self);   /* a down message that has arrived takes the monitor off */
    bool is_request = self->wait != NULL && self->wait->request == ref.serial;
    return cop_pid_equal(ref.owner, copi_pid(self)) && ref.serial != 0 &&
           (is_request || copi_relation_find(self, RELATION_MONITOR, ref.serial) != NULL);
}

/* ---- aliases --------------------------------------------------------------------------- */

static struct relation *alias_find(struct process *process, uint64_t serial)
{
    struct relation *relation = copi_relation_find(process, RELATION_ALIAS, serial);
    if (relation == NULL)
        relation = copi_relation_find(process, RELATION_MONITOR, serial);
    return relation != NULL && relation->alias != COP_ALIAS_NONE ? relation : NULL;
}

/* Takes a monitor off together with its alias, or the alias alone. */
static void alias_off(struct process *process, struct relation *relation, bool other_side_is_off)
{
    if (relation->kind == RELATION_MONITOR && !other_side_is_off)
        send_demonitor(process, relation->other, relation->node.key);
    copi_relation_remove(process, relation);
}

/* The monitor is on, but the message that has taken its other side off is not accepted. */
static void monitor_anew(struct process *process, uint64_t serial)
{
    struct relation *monitor = copi_relation_find(process, RELATION_MONITOR, serial);
    if (monitor != NULL)
        copi_signal_send(monitor->other, copi_signal_new(SIGNAL_MONITOR, copi_pid(process), serial,
                                                         NULL));
}

bool copi_alias_accepts(struct process *process, struct signal *signal)
{
    uint64_t serial = signal->alias;
    bool ends = (signal->flags & SIGNAL_ENDS_MONITOR) != 0;
    cop_pid target;
    if (request_ends(process, serial, &target)) {
        if (!ends)
            send_demonitor(process, target, serial);
        return true;
    }
    struct relation *relation = alias_find(process, serial);
    if (relation == NULL) {
        if (ends)
            monitor_anew(process, serial);
        signal->flags &= (uint16_t)~SIGNAL_ENDS_MONITOR;      /* once, if it is asked again */
        return false;
    }
    if (is_used_up(relation->alias, &signal->message))
        alias_off(process, relation, ends);
    return true;
}

cop_ref cop_alias(enum cop_alias_mode mode)
{
    struct process *self = copi_self_checked("cop_alias");
    cop_ref ref = { copi_pid(self), copi_serial(self) };
    copi_mailbox_mark(self, ref.serial);
    copi_enter(copi_scheduler);
    copi_relation_add(self, RELATION_ALIAS, ref.serial, sizeof(struct relation))->alias =
        (uint8_t)mode;
    copi_leave(copi_scheduler);
    return ref;
}

bool cop_unalias(cop_ref alias)
{
    struct process *self = copi_self_checked("cop_unalias");
    if (!cop_pid_equal(alias.owner, copi_pid(self)))
        return false;
    copi_mailbox_drain(self);   /* what came through it earlier used it up, or is in already */
    copi_enter(copi_scheduler);
    cop_pid target;
    if (request_ends(self, alias.serial, &target))
        copi_monitor_add(self, target, COP_ALIAS_REPLY, alias.serial);
    copi_leave(copi_scheduler);
    struct relation *relation = alias_find(self, alias.serial);
    if (relation == NULL)
        return false;
    copi_enter(copi_scheduler);
    if (relation->kind == RELATION_MONITOR)
        relation->alias = COP_ALIAS_NONE;
    else
        copi_relation_remove(self, relation);
    copi_leave(copi_scheduler);
    return true;
}

/* ---- the end --------------------------------------------------------------------------- */

struct death {
    struct process *process;
    cop_pid pid;
    const cop_reason *reason;
};

static void tell_link(const struct death *death, const struct relation *relation)
{
    cop_pid peer = { relation->node.key };
    if (relation->kind == RELATION_LINK && relation->serial == 0)
        copi_signal_send(peer, copi_signal_new(SIGNAL_EXIT_LINKED, death->pid, 0,
                                               cop_reason_ref(death->reason)));
}

static void visit_link(struct hash_node *node, void *context)
{
    tell_link(context, (struct relation *)node);
}

static void visit_in_order(cop_pid peer, void *context)
{
    const struct death *death = context;
    tell_link(death, link_find(death->process, peer));
}

/* Which link hears first is not promised; a deterministic run has OTP's order. */
static void tell_links(struct death *death)
{
    if (copi_node.options.deterministic)
        copi_link_order_tell(death->pid, visit_in_order, death);
    else
        copi_hash_each(&death->process->relations, visit_link, death);
}

/* Links first, as in OTP: who has got the down message knows that no exit signal is to come.  Then
 * the watchers, oldest first while the table is a list. */
void copi_relations_tell(struct process *process, cop_pid pid, const cop_reason *reason)
{
    if (process->flags & PROCESS_LINKED)
        tell_links(&(struct death){ process, pid, reason });
    struct hash_node *node, *oldest = copi_hash_drain(&process->relations);
    while ((node = oldest) != NULL) {
        struct relation *relation = (struct relation *)node;
        oldest = node->next;
        switch ((enum relation_kind)relation->kind) {
        case RELATION_WATCHER:
            copi_signal_send(relation->other, copi_signal_new(SIGNAL_DOWN, pid, relation->serial,
                                                              cop_reason_ref(reason)));
            break;
        case RELATION_MONITOR:
            copi_signal_send(relation->other, copi_signal_new(SIGNAL_DEMONITOR, pid, node->key,
                                                              NULL));
            break;
        case RELATION_LINK:
        case RELATION_ALIAS:
        case RELATION_TIMER:
        case RELATION_ROOM: break;
        }
        relation_free(relation);
    }
}
