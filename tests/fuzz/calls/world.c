/* world.c - see world.h: what is known, and what must hold of it. */
#include "world.h"

#include <stdio.h>

struct world world;

/* ---- what a byte leads to -------------------------------------------------------------- */

void world_add_pid(cop_pid pid)
{
    if (!cop_pid_is_none(pid)) world.pids[world.pid_count++ % KNOWN_PIDS] = pid;
}

void world_add_ref(cop_ref ref)
{
    if (ref.serial != 0) world.refs[world.ref_count++ % KNOWN_REFS] = ref;
}

cop_pid some_pid(uint8_t byte)
{
    static const cop_pid forged[] = { { 1 }, { UINT64_MAX }, { (uint64_t)1 << 63 },
                                      { 0x123456789abcdef0 }, { (uint64_t)7 << 32 | 3 } };
    if (byte == 0) return COP_NO_PID;
    if (byte == 1 || world.pid_count == 0) return cop_self();
    if (byte > 250) return forged[byte - 251];
    unsigned known = world.pid_count < KNOWN_PIDS ? world.pid_count : KNOWN_PIDS;
    return world.pids[byte % known];
}

cop_ref some_ref(uint8_t byte)
{
    if (byte == 0 || world.ref_count == 0) return COP_NO_REF;
    if (byte == 255) return (cop_ref){ cop_self(), UINT64_MAX };
    if (byte == 254) return (cop_ref){ { UINT64_MAX }, 1 };
    unsigned known = world.ref_count < KNOWN_REFS ? world.ref_count : KNOWN_REFS;
    for (unsigned back = 1; (byte & 1) != 0 && back <= known; back++) {
        cop_ref ref = world.refs[(world.ref_count - back) % KNOWN_REFS];
        if (cop_pid_equal(ref.owner, cop_self())) return ref;      /* its own newest */
    }
    return world.refs[byte % known];
}

const char *some_name(uint8_t byte)
{
    static char longest[COP_NAME_MAX + 2];
    static const char *const names[] = { "n0", "n1", "n2", "n3", "top", "dynamic", "tasks",
                                         "unique", "many", "parts", "", longest };
    memset(longest, 'x', sizeof longest - 1);
    return names[byte % (sizeof names / sizeof *names)];
}

static cop_pid resolves_to_self(const cop_via_name *via)
{
    (void)via;
    return cop_self();
}

cop_dest some_dest(uint8_t kind, uint8_t byte)
{
    static const cop_registry unique = { .name = "unique" };
    static const cop_partition_supervisor parts = { .name = "parts" };
    static const cop_via_name vias[] = {
        { .resolve = cop_registry_resolve, .take = cop_registry_take, .directory = &unique,
          .key = "k0" },
        { .resolve = cop_registry_resolve, .directory = &unique, .key = "k1" },
        { .resolve = cop_partition_resolve, .directory = &parts, .number = 1 },
        { .resolve = resolves_to_self },
    };
    switch (kind % 8) {
    case 0: return cop_to_name(some_name(byte));
    case 1: return cop_to_alias(some_ref(byte));
    case 2: return cop_to_via(&vias[byte % 4]);
    default: return cop_to_pid(some_pid(byte));
    }
}

const cop_reason *some_reason(uint8_t byte)
{
    switch (byte % 12) {
    case 0: return COP_NORMAL;
    case 1: return COP_SHUTDOWN;
    case 2: return COP_KILL;
    case 3: return COP_KILLED;
    case 4: return COP_NOPROC;
    case 5: return cop_reason_atom("boom");
    case 6: return cop_reason_error("error %d", byte);
    case 7: return cop_reason_tuple("shutdown", cop_reason_atom("x"));
    case 8: return cop_reason_tuple("a", cop_reason_tuple("b", COP_NORMAL));
    case 9: return cop_reason_because(COP_SHUTDOWN, cop_reason_atom("origin"));
    case 10: return cop_reason_by(cop_reason_atom("late"),
                                  &(cop_deadline){ .ns = cop_now_ns() + 1000000, .path = "p",
                                                   .watcher = some_ref(byte),
                                                   .process = cop_self() });
    default: return cop_reason_atom("");
    }
}

int64_t some_ms(uint8_t byte)
{
    static const int64_t times[] = { 0, 1, 2, 5, 20, 50, 300, 1000, 6000, COP_INFINITY, -2,
                                     INT64_MIN, INT64_MAX, INT64_MAX / 1000000 };
    return times[byte % (sizeof times / sizeof *times)];
}

/* ---- monitors -------------------------------------------------------------------------- */

static struct watch *watch_of(cop_ref ref)
{
    for (unsigned i = 0; i < world.watch_count; i++)
        if (cop_ref_equal(world.watches[i].ref, ref)) return &world.watches[i];
    return NULL;
}

/* Behind the last place nothing is watched. */
void watch_begin(cop_ref ref, cop_pid target)
{
    world_add_ref(ref);
    if (ref.serial == 0 || world.watch_count == WATCHES) return;
    MUST(watch_of(ref) == NULL, "a reference twice");
    world.watches[world.watch_count++] = (struct watch){ ref, target, WATCH_ON };
}

void watch_ends(cop_ref ref, bool was_on, bool flushed)
{
    struct watch *watch = watch_of(ref);
    if (watch == NULL || !cop_pid_equal(ref.owner, cop_self())) return;
    MUST(!was_on || watch->state == WATCH_ON, "a monitor is taken off twice");
    if (was_on || (flushed && watch->state == WATCH_ON)) watch->state = WATCH_OFF;
}

void watch_fires(const cop_down_message *down)
{
    struct watch *watch = watch_of(down->ref);
    MUST(cop_pid_equal(down->ref.owner, cop_self()), "another's monitor");
    MUST(!cop_is_alive(down->pid), "it is said to be down");
    if (watch == NULL) return;
    MUST(watch->state == WATCH_ON, "a monitor fires that was %s",
         watch->state == WATCH_OFF ? "taken off" : "heard of before");
    watch->state = WATCH_FIRED;
}

/* ---- links ----------------------------------------------------------------------------- */

static bool ties(const struct tie *tie, cop_pid a, cop_pid b)
{
    return (cop_pid_equal(tie->a, a) && cop_pid_equal(tie->b, b)) ||
           (cop_pid_equal(tie->a, b) && cop_pid_equal(tie->b, a));
}

/* Somebody may have cut links while the caller was about to make it: then it is not known. */
void tie_make(cop_pid other, unsigned untied_before)
{
    cop_pid self = cop_self();
    if (world.tie_count == TIES || world.untied != untied_before || cop_pid_equal(self, other))
        return;
    world.ties[world.tie_count++] = (struct tie){ self, other, memory_of_self()->traps };
}

/* Before and after the unlink. */
void tie_cut(cop_pid other)
{
    world.untied++;
    for (unsigned i = 0; i < world.tie_count;) {
        if (ties(&world.ties[i], cop_self(), other))
            world.ties[i] = world.ties[--world.tie_count];
        else
            i++;
    }
}

void tie_trap(bool on)
{
    memory_of_self()->traps = on;
    if (!on) return;
    for (unsigned i = 0; i < world.tie_count; i++)
        if (cop_pid_equal(world.ties[i].a, cop_self())) world.ties[i].a_trapped = true;
}

void world_ended(cop_pid pid, const cop_reason *reason)
{
    if (world.end_count < WATCHES)
        world.ends[world.end_count++] = (struct end){ pid, cop_reason_is(reason, "normal") };
}

static const struct end *end_of(cop_pid pid)
{
    for (unsigned i = 0; i < world.end_count; i++)
        if (cop_pid_equal(world.ends[i].pid, pid)) return &world.ends[i];
    return NULL;
}

/* ---- timers ---------------------------------------------------------------------------- */

cop_message *ding_new(int64_t delay_ms, unsigned *ret_number)
{
    int64_t now = cop_now_ms();
    *ret_number = world.ding_count % DINGS;
    world.dings[*ret_number] = (struct timer_watch){
        .due_ms = delay_ms <= 0 ? now : delay_ms > INT64_MAX - now ? INT64_MAX : now + delay_ms };
    return cop_new(ding, .number = world.ding_count++);
}

void ding_set(unsigned number, cop_ref timer)
{
    world_add_ref(timer);
    world.dings[number].timer = timer;
}

void ding_cancelled(cop_ref timer)
{
    for (unsigned i = 0; i < DINGS; i++)
        if (timer.serial != 0 && cop_ref_equal(world.dings[i].timer, timer)) {
            MUST(world.dings[i].state == TIMER_ON, "a timer is cancelled that is none");
            world.dings[i].state = TIMER_OFF;
        }
}

/* One that was sent by way of a name may come to somebody else.  Old ones are forgotten. */
void ding_comes(const ding *content)
{
    if (content->number + DINGS <= world.ding_count) return;
    struct timer_watch *timer = &world.dings[content->number % DINGS];
    MUST(timer->state == TIMER_ON, "a timer fires that has %s",
         timer->state == TIMER_OFF ? "been cancelled" : "fired");
    MUST(cop_now_ms() >= timer->due_ms, "%d ms early", (int)(timer->due_ms - cop_now_ms()));
    timer->state = TIMER_FIRED;
}

/* ---- messages -------------------------------------------------------------------------- */

struct memory *memory_of_self(void)
{
    cop_value known;
    if (cop_dictionary_get("memory", &known)) return known.pointer;
    struct memory *memory = cop_alloc(sizeof *memory);
    memory->traps = true;
    cop_dictionary_put("memory", cop_pointer(memory));
    return memory;
}

uint64_t note_next(cop_pid to)
{
    struct memory *memory = memory_of_self();
    for (unsigned i = 0; i < memory->says; i++)
        if (cop_pid_equal(memory->said[i].pid, to)) return ++memory->said[i].n;
    if (memory->says == PEERS) return 0;
    memory->said[memory->says].pid = to;
    return ++memory->said[memory->says++].n;
}

void note_comes(const cop_message *message)
{
    struct memory *memory = memory_of_self();
    uint64_t n = cop_expect(message, note)->n;
    if (n == 0 || memory->loses) return;
    for (unsigned i = 0; i < memory->hears; i++) {
        if (!cop_pid_equal(memory->heard[i].pid, message->from)) continue;
        MUST(n == memory->heard[i].n + 1, "the %dth after the %dth", (int)n,
             (int)memory->heard[i].n);
        memory->heard[i].n = n;
        return;
    }
    MUST(n == 1 || memory->hears == PEERS, "the %dth first", (int)n);
    if (memory->hears == PEERS) return;
    memory->heard[memory->hears].pid = message->from;
    memory->heard[memory->hears++].n = n;
}

/* ---- at the end ------------------------------------------------------------------------ */

void world_audit(void)
{
    cop_pid self = cop_self();
    for (unsigned i = 0; i < world.watch_count; i++) {
        const struct watch *watch = &world.watches[i];
        if (!cop_pid_equal(watch->ref.owner, self) || watch->state != WATCH_ON) continue;
        if (end_of(watch->target) != NULL)
            MUST(!cop_is_monitoring(watch->ref), "a monitor has not fired");
    }
    for (unsigned i = 0; i < world.tie_count; i++) {
        const struct tie *tie = &world.ties[i];
        bool mine = cop_pid_equal(tie->a, self) && !tie->a_trapped;
        const struct end *end = end_of(tie->b);
        MUST(!mine || end == NULL || end->normal, "a linked process's end has not ended this one");
    }
}
