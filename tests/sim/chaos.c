/* chaos.c - a random tree whose processes talk, watch each other and are struck anywhere: what must
 * hold nevertheless. */
#include <coppice/coppice.h>

#include <stdio.h>
#include <string.h>

#include "story.h"

enum { WORKERS = 8, GROUPS = 3, LIVES_MAX = 4000, RECENT = 8, TICK_MS = 40, STORY_MS = 2500,
       LATE_MS = 200, THINGS = 4,
       GRACE_MS = 1500 /* more than any worker takes to end */ };

/* ---- who lives ------------------------------------------------------------------------- */

struct life {
    cop_pid pid, supervisor, watched;
    int64_t orphan_since_ms;      /* -1: it is none */
    bool deaf;                    /* handles no messages now, or no more */
    enum { NEVER_OWNED, OWNED, GIVEN_BACK } things[THINGS];
};

/* One run at a time has them. */
static struct life lives[LIVES_MAX];
static int life_count, lives_begin;

static cop_mutex mutex = COP_MUTEX_INIT;
static cop_pid inside;            /* who has it, or died with it */

/* The ends of children that supervisors have reported; each is a restart, but the last before a
 * supervisor gives up. */
static struct { cop_pid supervisor; int64_t times[RECENT]; int count; } ends[GROUPS * 64];
static int ending;

struct chat { int from; uint64_t n; };
typedef struct chat chat;
COP_MESSAGE(chat);
COP_MESSAGE(tick, COP_EMPTY);

struct worker {
    int number;
    struct life *life;
    cop_pid peer;                 /* whom it talks to and watches, and how much it has said */
    uint64_t said;
    cop_ref monitor;
    cop_deferred *deferred[THINGS];
    struct { cop_pid from; uint64_t n; } heard[WORKERS];
};

/* ---- a worker -------------------------------------------------------------------------- */

static void name_of(int number, char name[8])
{
    snprintf(name, 8, "w%d", number % 100);
}

static void again(void)
{
    cop_send_after(cop_self(), (int64_t)(1 + cop_random_below(TICK_MS)), tick, 0);
}

/* ---- what a worker owns ---------------------------------------------------------------- */

static void give_back(void *thing)
{
    int *state = thing;
    if (*state == GIVEN_BACK) cop_sim_fail("what is owned is given back once", "it was, twice");
    *state = GIVEN_BACK;
}

/* Takes one more thing, or gives one back before its time.  It is owned when cop_defer has
 * returned. */
static void own(struct worker *self)
{
    int i = (int)cop_random_below(THINGS);
    if (self->deferred[i] != NULL) {
        cop_deferred *deferred = self->deferred[i];
        self->deferred[i] = NULL;
        cop_undefer(deferred, true);
        return;
    }
    self->life->things[i] = NEVER_OWNED;
    self->deferred[i] = cop_defer(give_back, &self->life->things[i]);
    self->life->things[i] = OWNED;
}

/* Is alone inside for a while. */
static void enter(struct worker *self)
{
    self->life->deaf = true;
    int64_t timeout_ms = cop_random_below(2) == 0 ? TICK_MS : COP_INFINITY;
    if (cop_mutex_lock(&mutex, timeout_ms) >= 0) {
        if (cop_is_alive(inside)) cop_sim_fail("a mutex has one owner", "there are two");
        inside = cop_self();
        cop_sleep((int64_t)cop_random_below(10));
        inside = COP_NO_PID;
        cop_mutex_unlock(&mutex);
    }
    self->life->deaf = false;
}

/* ---- its life -------------------------------------------------------------------------- */

static cop_next worker_init(void *state, const void *argument)
{
    struct worker *self = state;
    char name[8];
    self->number = *(const int *)argument;
    name_of(self->number, name);
    if (life_count == LIVES_MAX) return cop_stop(cop_reason_atom("too_many_lives"));
    self->life = &lives[life_count++];
    *self->life = (struct life){ .pid = cop_self(), .supervisor = cop_parent(),
                                 .orphan_since_ms = -1 };
    if (cop_register(name) != COP_OK) return cop_stop(cop_reason_atom("name_taken"));
    cop_trap_exit(self->number % 2 == 0);
    again();
    return cop_ok();
}

/* Says the next number to its peer, another one now and then; watches whom it talks to. */
static void talk(struct worker *self)
{
    char name[8];
    name_of((int)cop_random_below(WORKERS), name);
    if (cop_pid_is_none(self->peer) || cop_random_below(4) == 0) {
        cop_pid peer = cop_whereis(name);
        if (cop_pid_is_none(peer) || cop_pid_equal(peer, self->peer)) return;
        if (self->monitor.serial != 0) cop_demonitor_flush(self->monitor);
        self->life->watched = COP_NO_PID;
        self->peer = peer;
        self->said = 0;
        self->monitor = cop_monitor(peer);
        self->life->watched = peer;
    }
    cop_send(self->peer, chat, .from = self->number, .n = ++self->said);
}

static void hear(struct worker *self, const cop_message *message)
{
    const chat *said = cop_expect(message, chat);
    cop_pid from = self->heard[said->from].from;
    uint64_t last = cop_pid_equal(from, message->from) ? self->heard[said->from].n : 0;
    /* Who comes back to a peer begins with 1 again. */
    if (said->n != last + 1 && said->n != 1)
        cop_sim_fail("no message is lost, duplicated or reordered", "%d said %d after %d",
                     said->from, (int)said->n, (int)last);
    self->heard[said->from].from = message->from;
    self->heard[said->from].n = said->n;
}

static bool owns_something(const struct life *life)
{
    bool owns = false;
    for (int i = 0; i < THINGS; i++) owns = owns || life->things[i] == OWNED;
    return owns;
}

static const char outlives[] = "nothing owned outlives its owner";

/* Who hears of an end finds nothing that was owned. */
static void lose_peer(struct worker *self, const cop_message *message)
{
    if (self->monitor.serial == 0 || message->ref != self->monitor.serial)
        cop_sim_fail("every monitor fires exactly once", "a down message that nobody waits for");
    for (int i = lives_begin; i < life_count; i++)
        if (cop_pid_equal(lives[i].pid, self->peer) && owns_something(&lives[i]))
            cop_sim_fail(outlives, "when another heard of its end");
    self->monitor = COP_NO_REF;
    self->life->watched = self->peer = COP_NO_PID;
}

static cop_next worker_info(void *state, const cop_message *message)
{
    struct worker *self = state;
    if (cop_is(message, tick)) {
        if (cop_random_below(100) == 0) cop_raise("had enough");
        if (cop_random_below(200) == 0) return cop_stop(COP_NORMAL);
        again();
        talk(self);
        if (cop_random_below(4) == 0) own(self);
        if (cop_random_below(16) == 0) enter(self);
    } else if (cop_is(message, chat)) {
        hear(self, message);
    } else if (cop_is(message, cop_down_message)) {
        lose_peer(self, message);
    }
    return cop_noreply();
}

/* Takes its time to end, and to be drained. */
static void worker_terminate(void *state, const cop_reason *reason)
{
    (void)reason;
    ((struct worker *)state)->life->deaf = true;
    cop_sleep((int64_t)cop_random_below(300));
}

static cop_next worker_drain(void *state)
{
    ((struct worker *)state)->life->deaf = true;
    cop_sleep((int64_t)cop_random_below(200));
    return cop_noreply();
}

static const cop_gen_server worker = {
    .state_size = sizeof(struct worker), .init = worker_init, .handle_info = worker_info,
    .terminate = worker_terminate, .handle_drain = worker_drain,
};

/* ---- the tree -------------------------------------------------------------------------- */

static const cop_intensity intensity = COP_MAX_RESTARTS(3, 2);

/* Group i has the workers whose number is i, modulo GROUPS. */
static struct { int numbers[WORKERS]; char ids[WORKERS][8]; cop_child_spec specs[WORKERS];
                cop_supervisor supervisor; } groups[GROUPS];
static cop_child_spec top_specs[GROUPS];
static const cop_supervisor top = { .intensity = COP_UNLIMITED_RESTARTS, .children = top_specs,
                                    .child_count = GROUPS };

static void build(void)
{
    static const char *const ids[GROUPS] = { "a", "b", "c" };
    memset(groups, 0, sizeof groups);
    for (int i = 0; i < GROUPS; i++) {
        cop_supervisor *self = &groups[i].supervisor;
        *self = (cop_supervisor){ .strategy = (enum cop_strategy)cop_random_below(3),
                                  .intensity = intensity,
                                  .children = groups[i].specs };
        for (int number = i; number < WORKERS; number += GROUPS) {
            size_t at = self->child_count++;
            groups[i].numbers[at] = number;
            name_of(number, groups[i].ids[at]);
            groups[i].specs[at] = (cop_child_spec){
                .id = groups[i].ids[at], .start = cop_child_server, .module = &worker,
                .argument = &groups[i].numbers[at], .argument_size = sizeof number,
                .shutdown = COP_SHUTDOWN_MS(200),
                .drain_ms = number % 4 == 0 ? 150 : 0,
            };
        }
        top_specs[i] = (cop_child_spec){ .id = ids[i], .start = cop_child_supervisor,
                                         .module = self, .type = COP_SUPERVISOR,
                                         .backoff = { .initial_ms = 50, .max_ms = 200 } };
    }
}

/* ---- what must hold -------------------------------------------------------------------- */

static bool no_orphan(void *context, char *detail, size_t size)
{
    (void)context;
    for (int i = lives_begin; i < life_count; i++) {
        struct life *life = &lives[i];
        bool alive = cop_is_alive(life->pid);
        if (!alive && i == lives_begin) lives_begin++;
        if (!alive || cop_is_alive(life->supervisor)) continue;
        if (life->orphan_since_ms < 0) life->orphan_since_ms = cop_now_ms();
        if (cop_now_ms() - life->orphan_since_ms > GRACE_MS) {
            cop_pid_format(life->pid, detail, size);
            return false;
        }
    }
    return true;
}

static bool monitors_fire(void *context, char *detail, size_t size)
{
    (void)context;
    for (int i = lives_begin; i < life_count; i++) {
        const struct life *life = &lives[i];
        if (life->deaf || cop_pid_is_none(life->watched) || !cop_is_alive(life->pid)) continue;
        if (cop_is_alive(life->watched)) continue;
        cop_pid_format(life->pid, detail, size);
        return false;
    }
    return true;
}

static bool nothing_is_left_owned(void *context, char *detail, size_t size)
{
    (void)context;
    cop_pid owner = cop_mutex_owner(&mutex);
    bool holds = cop_pid_is_none(owner) || cop_is_alive(owner);
    if (!holds) snprintf(detail, size, "the mutex");
    for (int i = lives_begin; holds && i < life_count; i++) {
        holds = !owns_something(&lives[i]) || cop_is_alive(lives[i].pid);
        if (!holds) cop_pid_format(lives[i].pid, detail, size);
    }
    return holds;
}

/* Who owns it when all is quiet has come in. */
static bool mutex_is_handed_on(void *context, char *detail, size_t size)
{
    (void)context;
    cop_pid owner = cop_mutex_owner(&mutex);
    cop_pid_format(owner, detail, size);
    return cop_pid_is_none(owner) || cop_pid_equal(owner, inside);
}

static void count_end(const cop_log_event *event, void *context)
{
    (void)context;
    if (event->kind != COP_LOG_SUPERVISOR || event->child == NULL || event->child[0] != 'w' ||
        strcmp(event->context, "child_terminated") != 0)
        return;
    int i = 0;
    while (i < ending && !cop_pid_equal(ends[i].supervisor, event->supervisor)) i++;
    if (i == (int)(sizeof ends / sizeof *ends)) return;
    if (i == ending) {
        ends[ending++].supervisor = event->supervisor;
        ends[i].count = 0;
    }
    ends[i].times[ends[i].count++ % RECENT] = event->time_ns;
    int64_t since = event->time_ns - (int64_t)intensity.seconds * 1000000000;
    uint32_t recent = 0;
    for (int j = 0; j < RECENT && j < ends[i].count; j++) recent += ends[i].times[j] >= since;
    if (recent > intensity.restarts + 1)
        cop_sim_fail("never more restarts in the window than allowed", "the %uth end, of %s",
                     recent, event->child);
}

const cop_sim_options chaos_options = {
    .chance = { COP_SIM_ANY_ORDER, [COP_SIM_CRASH] = 300, [COP_SIM_KILL] = 1500,
                [COP_SIM_LATE] = 20000, [COP_SIM_NO_MEMORY] = 1000, [COP_SIM_NO_PROCESS] = 3000 },
    .late_ms = LATE_MS,
    .max_steps = 50000,
    .log = count_end,
};

void chaos(void *argument)
{
    (void)argument;
    life_count = lives_begin = ending = 0;
    inside = COP_NO_PID;
    cop_mutex_init(&mutex);
    cop_trap_exit(true);
    cop_sim_check_settled("no orphan survives its supervisor", no_orphan, NULL);
    cop_sim_check_settled(outlives, nothing_is_left_owned, NULL);
    cop_sim_check_settled("who gets a mutex hears of it", mutex_is_handed_on, NULL);
    cop_sim_check_settled("every monitor fires exactly once", monitors_fire, NULL);
    build();
    cop_started tree = cop_supervisor_start_link(&top);
    while (cop_now_ms() < STORY_MS) {
        cop_reason_unref(tree.reason);
        tree.reason = NULL;
        if (tree.error != COP_OK || !cop_is_alive(tree.pid))
            tree = cop_supervisor_start_link(&top);
        cop_sleep(100);
        while (cop_receive(0) != NULL) {}
    }
    cop_reason_unref(tree.reason);
    if (tree.error == COP_OK) cop_supervisor_stop(cop_to(tree.pid), COP_SHUTDOWN);
    cop_sleep(2 * GRACE_MS);
}
