/* world.h - the world of the call fuzzer: what its processes know of each other, and what must
 * hold.
 *
 * The bytes are a program: orders, each an operation with four arguments, which the first process
 * hands to others.  Whoever is handed one calls the library with whatever the arguments lead to: a
 * living process, a dead one, itself, none; a reference of its own, another's, a used one.
 *
 * A simulation has one thread, so that all processes share the world without a lock; but in any
 * call of the library others may have their turn. */
#ifndef FUZZ_WORLD_H
#define FUZZ_WORLD_H

#include <coppice/coppice.h>

#include "../lib/fuzz.h"

enum { KNOWN_PIDS = 32, KNOWN_REFS = 32, KNOWN_FROMS = 8, KNOWN_TASKS = 16, WATCHES = 256,
       DINGS = 128, TIES = 128, PEERS = 8, STORIES_DEEP = 3 };

/* ---- what is said ---------------------------------------------------------------------- */

COP_MESSAGE(command, { uint8_t op, a, b, c, d; });   /* an order */
COP_MESSAGE(note, { uint64_t n; });               /* the n-th of its sender to its receiver */
COP_MESSAGE(ding, { unsigned number; });          /* a timer's */
COP_MESSAGE(chatter, COP_EMPTY);                  /* anything else */
COP_MESSAGE_WITH(parcel, { cop_buffer *buffer; }, cop_buffer_drop);
COP_CALL(question, { uint8_t how; }, { uint8_t how; });

/* ---- who is there ---------------------------------------------------------------------- */

struct watch {                 /* a monitor */
    cop_ref ref;
    cop_pid target;
    enum { WATCH_ON, WATCH_OFF, WATCH_FIRED } state;
};

struct tie {                   /* a link that was made and not taken away */
    cop_pid a, b;
    bool a_trapped;            /* it has trapped exits since, or may have */
};

struct timer_watch {
    cop_ref timer;
    int64_t due_ms;
    enum { TIMER_ON, TIMER_OFF, TIMER_FIRED } state;
};

struct end { cop_pid pid; bool normal; };

/* What a process keeps for itself: with whom it has talked. */
struct memory {
    struct { cop_pid pid; uint64_t n; } said[PEERS], heard[PEERS];
    unsigned says, hears;
    bool loses;                /* its mailbox is bounded: messages may be dropped */
    bool traps;                /* exits; true also when it is not known */
};

struct world {
    struct bytes bytes;
    cop_pid pids[KNOWN_PIDS];
    cop_ref refs[KNOWN_REFS];
    cop_from froms[KNOWN_FROMS];
    cop_task tasks[KNOWN_TASKS];
    unsigned pid_count, ref_count, from_count, task_count;   /* all there were; the newest stay */
    struct watch watches[WATCHES];
    struct tie ties[TIES];
    struct timer_watch dings[DINGS];
    struct end ends[WATCHES];
    unsigned watch_count, tie_count, ding_count, end_count, untied;
    int depth;                 /* orders within orders */
    bool traced;               /* FUZZ_TRACE: each order is printed as it is carried out */
};
extern struct world world;

void world_add_pid(cop_pid pid);
void world_add_ref(cop_ref ref);

/* What a byte leads to: mostly one of the above, now and then none, oneself or one that never
 * was. */
cop_pid some_pid(uint8_t byte);
cop_ref some_ref(uint8_t byte);
cop_dest some_dest(uint8_t kind, uint8_t byte);
const char *some_name(uint8_t byte);
const cop_reason *some_reason(uint8_t byte);      /* the caller's */
int64_t some_ms(uint8_t byte);

/* ---- what must hold -------------------------------------------------------------------- */

/* The simulation fails. */
#define MUST(condition_, ...)                                                            \
    ((condition_) ? (void)0 : cop_sim_fail(#condition_, __VA_ARGS__))

void watch_begin(cop_ref ref, cop_pid target);
void watch_ends(cop_ref ref, bool was_on, bool flushed);   /* demonitor has said so */
void watch_fires(const cop_down_message *down);

void tie_make(cop_pid other, unsigned untied_before);
void tie_cut(cop_pid other);
void tie_trap(bool on);

cop_message *ding_new(int64_t delay_ms, unsigned *ret_number);
void ding_set(unsigned number, cop_ref timer);
void ding_cancelled(cop_ref timer);
void ding_comes(const ding *content);

uint64_t note_next(cop_pid to);
void note_comes(const cop_message *message);
struct memory *memory_of_self(void);

/* At the end, in a process that looks at itself: what should have reached it has. */
void world_audit(void);
void world_ended(cop_pid pid, const cop_reason *reason);

/* ---- carrying out ---------------------------------------------------------------------- */

typedef void operation(const command *order);
struct named_operation { const char *name; operation *function; };
extern const struct named_operation process_operations[], tree_operations[], work_operations[];
extern const unsigned process_operation_count, tree_operation_count, work_operation_count;

/* What an order's op means; orders beyond the last are taken modulo. */
const struct named_operation *operation_of(uint8_t op);

/* Takes in any message, and carries it out if it is an order. */
void obey(const cop_message *message);

/* The functions of its processes; how they are, a byte. */
enum { ACTOR_TRAPS = 64, ACTOR_LOSES = 128 /* its mailbox is bounded from the start on */ };

cop_pid actor_spawn(uint8_t how, const cop_spawn_options *options);
extern const cop_gen_server actor_server;         /* its argument: a byte, how it is */
void actor_function(void *argument);
cop_message *actor_task(void *argument);

/* Children as bytes say; what a spec points to is constant, or the calling process's. */
cop_child_spec some_spec(uint8_t a, uint8_t b, uint8_t c);

#endif
