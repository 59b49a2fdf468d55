/* process.c - operations on processes: links, monitors, aliases, messages, timers, names, exits. */
#include <stdio.h>
#include <stdlib.h>

#include "world.h"

/* ---- spawning -------------------------------------------------------------------------- */

static void do_spawn(const command *order)
{
    cop_ref ref = COP_NO_REF;
    const cop_spawn_options options = {
        .link = (order->b & 1) != 0, .monitor = (order->b & 2) != 0,
        .alias_mode = (order->b & 4) == 0   ? COP_ALIAS_NONE
                      : (order->c & 4) == 0 ? COP_ALIAS_DEMONITOR
                                            : COP_ALIAS_ACK,
        .ret_ref = &ref, .trap_exit = (order->a & ACTOR_TRAPS) != 0,
        .stack_bytes = (order->b & 8) != 0 ? 16384 : 0,
        .max_memory = (order->b & 16) != 0 ? 4000 : 0,
        .mailbox = { order->c % 4, (enum cop_when_full)(order->c >> 4 & 3) },
    };
    unsigned untied = world.untied;
    uint8_t how = options.mailbox.limit > 0 ? order->a | ACTOR_LOSES : order->a;
    cop_pid pid = actor_spawn(how, &options);
    MUST(cop_pid_is_none(pid) || !cop_pid_equal(pid, cop_self()), "one's own pid");
    if (cop_pid_is_none(pid)) return;
    if (options.monitor) watch_begin(ref, pid);
    if (options.link) tie_make(pid, untied);
}

static void ends_at_once(void *argument)
{
    cop_exit(some_reason(*(const uint8_t *)argument));
}

static void do_spawn_short(const command *order)
{
    cop_ref ref;
    cop_pid pid = cop_spawn_monitor(ends_at_once, &order->a, 1, &ref);
    if (cop_pid_is_none(pid)) return;
    watch_begin(ref, pid);
    world_add_pid(pid);
}

static void do_start(const command *order)
{
    uint8_t how = order->a;
    cop_started started = cop_start(actor_function,
                                    &(cop_start_options){
                                        .argument = &how, .argument_size = 1,
                                        .name = (order->b & 1) != 0 ? some_name(order->c) : NULL,
                                        .link = (order->b & 2) != 0,
                                        .timeout_ms = (order->b & 4) != 0 ? 50 : 300 });
    MUST(started.error != COP_OK || !cop_pid_is_none(started.pid), "no process has started");
    cop_reason_unref(started.reason);
}

/* ---- links and monitors ---------------------------------------------------------------- */

static void do_link(const command *order)
{
    cop_pid pid = some_pid(order->a);
    unsigned untied = world.untied;
    bool was_dead = !cop_is_alive(pid);
    int error = cop_link(pid);
    MUST(error == COP_OK || error == COP_ENOPROC, "%d", error);
    MUST(error == COP_OK || !cop_is_alive(pid), "noproc for the living");
    if (error == COP_OK && !was_dead) tie_make(pid, untied);
}

static void do_unlink(const command *order)
{
    cop_pid pid = some_pid(order->a);
    tie_cut(pid);
    cop_unlink(pid);
    tie_cut(pid);
}

static void do_monitor(const command *order)
{
    cop_dest target = some_dest(order->a, order->b);
    cop_pid pid = target.alias == 0 ? target.pid : COP_NO_PID;
    watch_begin(cop_monitor_opt(target, (enum cop_alias_mode)(order->c % 4)), pid);
}

static void do_demonitor(const command *order)
{
    cop_ref ref = some_ref(order->a);
    bool flush = (order->b & 1) != 0;
    bool was_on = flush ? cop_demonitor_flush(ref) : cop_demonitor(ref);
    MUST(!cop_is_monitoring(ref), "it is still on");
    watch_ends(ref, was_on, flush);
    if ((order->b & 2) != 0) MUST(!cop_demonitor(ref), "it was on again");
}

static void do_alias(const command *order)
{
    world_add_ref(cop_alias((order->a & 1) != 0 ? COP_ALIAS_REPLY : COP_ALIAS_EXPLICIT));
}

static void do_unalias(const command *order)
{
    cop_ref ref = some_ref(order->a);
    cop_unalias(ref);
    MUST(!cop_unalias(ref), "it was active again");
}

static void do_request(const command *order)
{
    cop_ref ref = COP_NO_REF;
    int error = cop_send_request(some_pid(order->a), cop_new(question, .how = order->b), &ref);
    MUST(error == COP_OK || error == COP_EFULL || error == COP_EINVAL, "%d", error);
    if (error == COP_OK) world_add_ref(ref);
}

/* ---- messages -------------------------------------------------------------------------- */

static void do_note(const command *order)
{
    cop_pid to = some_pid(order->a);
    bool bounded = (order->b & 1) != 0;
    cop_send(to, note, .n = bounded ? 0 : note_next(to));
}

static void do_send(const command *order)
{
    int error = cop_send(some_dest(order->a, order->b), chatter, 0);
    MUST(error == COP_OK || error == COP_ENOPROC || error == COP_EFULL, "%d", error);
}

static void do_send_parcel(const command *order)
{
    cop_buffer *buffer = cop_buffer_new("some bytes", 11);
    if (buffer == NULL) return;
    cop_deferred *owned = cop_own_buffer(buffer);
    cop_buffer_ref(buffer);
    cop_send(some_dest(order->a, order->b), parcel, .buffer = buffer);
    if ((order->c & 1) != 0) cop_undefer(owned, true);
}

static void do_send_order(const command *order)
{
    cop_send(some_pid(order->a), command, .op = order->b, .a = order->c, .b = order->d);
}

static bool is_loud(const cop_message *message, void *context)
{
    (void)context;
    return message->type != COP_TYPE(chatter);
}

static const cop_match *some_match(uint8_t byte, cop_match *match)
{
    *match = (cop_match){ 0 };
    switch (byte % 8) {
    case 0: return NULL;
    case 1: match->type = COP_TYPE(note); break;
    case 2: match->type = COP_TYPE(chatter); break;
    case 3: match->type = COP_TYPE(cop_down_message); break;
    case 4: match->accept = is_loud; break;
    case 5: match->ref = some_ref(byte >> 3); break;
    case 6: match->from = some_pid(byte >> 3); break;
    default: match->type = COP_TYPE(parcel); break;
    }
    return match;
}

static void do_receive(const command *order)
{
    cop_match match;
    world.depth++;
    obey(cop_receive_match(some_match(order->a, &match), some_ms(order->b % 7)));
    world.depth--;
}

/* Takes one, passes it on or frees it; those that are counted are not passed on. */
static void do_take(const command *order)
{
    cop_match match;
    cop_message *message = cop_take(some_match(order->a, &match), some_ms(order->b % 7));
    if (message == NULL) return;
    if (cop_is(message, chatter) || cop_is(message, parcel)) {
        cop_send_message(some_dest(order->c, order->d), message);
        return;
    }
    world.depth++;
    obey(message);
    world.depth--;
    cop_message_free(message);
}

static void do_bound(const command *order)
{
    memory_of_self()->loses = true;
    int error = cop_limit_mailbox((cop_mailbox_bound){ order->a % 5,
                                                       (enum cop_when_full)(order->b % 5) });
    MUST(error == COP_OK || error == COP_EINVAL || error == COP_ENOMEM, "%d", error);
    cop_mailbox_dropped();
    MUST(cop_mailbox_length() < 100000, "so many");
}

/* ---- timers ---------------------------------------------------------------------------- */

static void do_timer(const command *order)
{
    unsigned number;
    int64_t delay = some_ms(order->c);
    cop_message *message = ding_new(delay, &number);
    ding_set(number, cop_send_after_message(some_dest(order->a, order->b), delay, message));
}

static void do_cancel(const command *order)
{
    cop_ref timer = some_ref(order->a);
    int64_t left = cop_read_timer(timer);
    MUST(left >= 0 || left == COP_ENOT_FOUND, "%d left", (int)left);
    if ((order->b & 1) != 0) return;
    left = cop_cancel_timer(timer);
    MUST(left >= 0 || left == COP_ENOT_FOUND, "%d left", (int)left);
    if (left >= 0) ding_cancelled(timer);
    MUST(cop_cancel_timer(timer) == COP_ENOT_FOUND, "cancelled twice");
}

static void do_wait(const command *order)
{
    if ((order->a & 1) != 0) cop_yield();
    cop_sleep(order->b);
}

/* ---- names, groups --------------------------------------------------------------------- */

static void do_register(const command *order)
{
    const char *name = some_name(order->a);
    int error = cop_register(name);
    MUST(error == COP_OK || error == COP_ENAME || error == COP_EINVAL || error == COP_ENOMEM,
         "%d", error);
}

static void do_unregister(const command *order)
{
    char name[16];
    cop_unregister(some_name(order->a));
    cop_name_of(some_pid(order->b), name, sizeof name);
    MUST(strlen(name) < sizeof name, "it does not end");
    cop_resolve(some_dest(order->c, order->d));
}

static void do_family(const command *order)
{
    cop_pid found[4];
    cop_ancestors(found, 4);
    cop_descendants(some_pid(order->a), found, 4);
    cop_join_group(order->b % 4);
    MUST(cop_group() == order->b % 4, "another group");
    MUST(cop_group_members(order->b % 4, found, 4) > 0, "the group is empty");
    cop_pid_format(some_pid(order->c), NULL, 0);
}

/* ---- exits ----------------------------------------------------------------------------- */

static void do_exit_process(const command *order)
{
    cop_exit_process(some_pid(order->a), some_reason(order->b));
}

static void do_trap(const command *order)
{
    bool on = (order->a & 1) != 0;
    tie_trap(true);
    cop_trap_exit(on);
    tie_trap(on);
    MUST(cop_trap_exit(on) == on, "the flag is another");
}

static void do_end(const command *order)
{
    int *volatile nowhere = NULL;
    switch (order->a % 6) {
    case 0: cop_raise("ordered");
    case 1: *nowhere = 1; break;
    case 2: abort();
    case 3: cop_become(NULL, NULL);    /* calls nowhere when a message comes */
    case 4: exit(3);
    default: cop_exit(some_reason(order->b));
    }
}

static void at_the_end(void *argument)
{
    int *volatile nowhere = NULL;
    command told = *(const command *)argument;
    switch (told.a % 8) {
    case 0: *nowhere = 1; break;
    case 1: cop_raise("in the end"); break;
    case 2: cop_receive(10); break;
    case 3: cop_send(some_dest(told.b, told.c), chatter, 0); break;
    case 4: cop_exit_process(cop_self(), some_reason(told.b)); break;
    case 5: ((command *)argument)->a = 1; cop_defer(at_the_end, argument); cop_exit(COP_NORMAL);
    case 6: cop_unregister(some_name(told.b)); cop_link(some_pid(told.c)); break;
    default: actor_spawn(told.b & 63, &(cop_spawn_options){ .link = false }); break;
    }
}

static void do_defer(const command *order)
{
    command *kept = cop_alloc(sizeof *kept);
    *kept = *order;
    cop_deferred *deferred = cop_defer(at_the_end, kept);
    if ((order->d & 7) == 7) cop_undefer(deferred, (order->d & 8) != 0);
}

/* ---- memory, dictionary ---------------------------------------------------------------- */

static void do_memory(const command *order)
{
    uint8_t *block = cop_alloc(1 + order->a * (size_t)16);
    block[0] = 1;
    if ((order->b & 1) != 0) block = cop_realloc(block, 1 + order->c * (size_t)64);
    MUST(block[0] == 1, "the bytes are others");
    cop_strdup(some_name(order->a));
    if ((order->b & 2) != 0) cop_free(block);
    if ((order->b & 12) == 12) cop_free(block);      /* which may be free already */
    if ((order->b & 16) != 0) cop_limit_memory(cop_memory_used() + order->d);
    cop_dictionary_put(some_name(order->c), cop_number(order->d));
    if ((order->b & 32) != 0) cop_dictionary_erase(some_name(order->d), NULL);
}

static void do_audit(const command *order)
{
    (void)order;
    world_audit();
}

const struct named_operation process_operations[] = {
    { "spawn", do_spawn }, { "spawn short", do_spawn_short }, { "start", do_start },
    { "link", do_link }, { "unlink", do_unlink }, { "monitor", do_monitor },
    { "demonitor", do_demonitor }, { "alias", do_alias }, { "unalias", do_unalias },
    { "request", do_request }, { "note", do_note }, { "send", do_send },
    { "parcel", do_send_parcel }, { "order", do_send_order }, { "receive", do_receive },
    { "take", do_take }, { "bound", do_bound }, { "timer", do_timer }, { "cancel", do_cancel },
    { "wait", do_wait }, { "register", do_register }, { "unregister", do_unregister },
    { "family", do_family }, { "exit process", do_exit_process }, { "trap", do_trap },
    { "end", do_end }, { "defer", do_defer }, { "memory", do_memory }, { "audit", do_audit },
};
const unsigned process_operation_count = sizeof process_operations / sizeof *process_operations;
