/* test_stress_signals.c - hundreds of processes link, unlink, monitor, demonitor, send, kill,
 * spawn, register and end at random; then, when all is quiet, both sides of every link and of
 * every monitor must agree, each monitor that should have fired has, once, and nothing is left.
 *
 * The same story runs on real threads and, from seeds, in deterministic runs; a seed that fails
 * is printed. */
#include <coppice/coppice.h>

#include <stdatomic.h>
#include <stdlib.h>

#include "node.h"
#include "runtime/scheduler.h"
#include "runtime/relation.h"
#include "watch.h"

COP_MESSAGE(ready, COP_EMPTY);
COP_MESSAGE(probe, COP_EMPTY);
COP_MESSAGE(reply, COP_EMPTY);
COP_MESSAGE(settle_accounts, COP_EMPTY);

static void cargo_dropped(void *payload);
COP_MESSAGE_WITH(cargo, { uint64_t n; }, cargo_dropped);

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { WORKERS = 60, STEPS = 20000, SEEDS = 20, SEED_STEPS = 2000 };
#else
enum { WORKERS = 200, STEPS = 300000, SEEDS = 150, SEED_STEPS = 4000 };
#endif
enum { REFS = 24, QUIET_ROUNDS = 3, NAMES = 16 };

/* What all share: who is where, and the accounts. */
static struct {
    _Atomic uint64_t pids[WORKERS];
    _Atomic long steps;                  /* still to be made, by all together */
    _Atomic long begun, sent, dropped;   /* messages with cargo */
} world;

static void cargo_dropped(void *payload)
{
    (void)payload;
    atomic_fetch_add(&world.dropped, 1);
}

/* ---- a worker -------------------------------------------------------------------------
 *
 * It knows of each of its monitors whether it is on. */

struct worker {
    cop_ref refs[REFS];                  /* on; COP_NO_REF: none */
    cop_pid targets[REFS];
    cop_pid chief;
    int index;
};

static cop_pid anybody(void)
{
    return (cop_pid){ atomic_load(&world.pids[cop_random_below(WORKERS)]) };
}

/* A down message: of a monitor that is on, and only once. */
static void take_note(struct worker *worker, const cop_message *message)
{
    const cop_down_message *down = cop_get(message, cop_down_message);
    if (down == NULL)
        return;
    int i = 0;
    while (i < REFS && !cop_ref_equal(worker->refs[i], down->ref)) i++;
    expect_that(i < REFS);               /* it is on, and this is its first */
    expect_that(cop_pid_equal(worker->targets[i], down->pid));
    worker->refs[i] = COP_NO_REF;
}

static void monitor_somebody(struct worker *worker)
{
    int i = 0;
    while (i < REFS && !cop_ref_equal(worker->refs[i], COP_NO_REF)) i++;
    if (i == REFS)
        return;
    worker->targets[i] = anybody();
    if (cop_pid_equal(worker->targets[i], cop_self()))
        return;                          /* yields nothing */
    worker->refs[i] = cop_monitor(worker->targets[i]);
}

static void demonitor_somebody(struct worker *worker)
{
    int i = (int)cop_random_below(REFS);
    cop_ref ref = worker->refs[i];
    if (cop_ref_equal(ref, COP_NO_REF))
        return;
    if (cop_random_below(2) == 0) {
        cop_demonitor_flush(ref);        /* nothing of it comes any more */
    } else if (!cop_demonitor(ref)) {
        cop_message *down = cop_take(&(cop_match){ .ref = ref }, 0);
        expect_that(cop_is(down, cop_down_message));   /* it was off because this is there */
        cop_message_free(down);
    }
    worker->refs[i] = COP_NO_REF;
}

/* One whose thread the machine keeps from running may be killed before it has sent what it has
 * begun to, or before it has counted what it has sent. */
static void send_cargo(void)
{
    cop_pid to = anybody();
    atomic_fetch_add(&world.begun, 1);
    if (cop_random_below(8) == 0)
        cop_send_after(to, (int64_t)cop_random_below(3), cargo, .n = 1);
    else
        cop_send(to, cargo, .n = 2);
    atomic_fetch_add(&world.sent, 1);
}

static void lives_briefly(void *argument)
{
    const uint64_t *dice = argument;
    cop_link(anybody());
    cop_monitor(anybody());
    if (*dice % 3 == 0)
        cop_yield();
    if (*dice % 2 == 0)
        cop_exit(cop_reason_atom("brief"));
}

static void spawn_somebody(void)
{
    uint64_t dice = cop_random();
    cop_spawn_opt(lives_briefly, &dice, sizeof dice,
                  &(cop_spawn_options){ .link = dice % 16 == 0, .trap_exit = dice % 5 == 0 });
}

static void use_names(void)
{
    char name[] = "name_a";
    name[5] = (char)('a' + cop_random_below(NAMES));
    switch (cop_random_below(4)) {
    case 0: cop_register(name); break;
    case 1: cop_unregister(name); break;
    default:
        atomic_fetch_add(&world.begun, 1);
        cop_send(name, cargo, .n = 3);
        atomic_fetch_add(&world.sent, 1);
    }
}

static void make_a_step(struct worker *worker)
{
    switch (cop_random_below(40)) {
    case 0 ... 7: cop_link(anybody()); break;
    case 8 ... 15: cop_unlink(anybody()); break;
    case 16 ... 20: monitor_somebody(worker); break;
    case 21 ... 25: demonitor_somebody(worker); break;
    case 26 ... 30: send_cargo(); break;
    case 31 ... 32: use_names(); break;
    case 33: spawn_somebody(); break;
    case 34: cop_trap_exit(cop_random_below(4) > 0); break;
    case 35 ... 37: cop_yield(); break;
    default:
        if (cop_random_below(10) == 0)
            cop_exit_process(anybody(), cop_random_below(2) == 0 ? COP_KILL
                                                                 : cop_reason_atom("shot"));
        else if (cop_random_below(20) == 0)
            cop_exit(cop_reason_atom("tired"));
    }
}

/* At the end: the monitors whose targets are gone must fire, the others must not have. */
static void wait_for_downs(struct worker *worker)
{
    for (int i = 0; i < REFS; i++)
        if (!cop_ref_equal(worker->refs[i], COP_NO_REF) && !cop_is_alive(worker->targets[i]))
            take_note(worker, cop_receive_match(&(cop_match){ .ref = worker->refs[i] },
                                                COP_INFINITY));
}

static void works(void *argument)
{
    struct worker *worker = argument;
    atomic_store(&world.pids[worker->index], cop_self().bits);
    while (atomic_fetch_sub(&world.steps, 1) > 0) {
        make_a_step(worker);
        if (cop_random_below(4) == 0)
            for (const cop_message *m; (m = cop_receive(0)) != NULL;) take_note(worker, m);
    }
    cop_send(worker->chief, ready);
    for (;;) {
        const cop_message *message = cop_receive(COP_INFINITY);
        if (cop_is(message, probe)) {
            cop_send(worker->chief, reply);
        } else if (cop_is(message, settle_accounts)) {
            wait_for_downs(worker);
            cop_send(worker->chief, reply);
        } else {
            take_note(worker, message);
        }
    }
}

/* ---- the chief: keeps all places taken, and inspects in the end ---------------------- */

struct chief {
    cop_pid pids[WORKERS];               /* COP_NO_PID: ended */
    cop_ref refs[WORKERS];
    bool is_ready[WORKERS];
    long spawned, ended;
};

static void place(struct chief *chief, int index)
{
    struct worker worker = { .chief = cop_self(), .index = index };
    chief->pids[index] = cop_spawn_opt(works, &worker, sizeof worker,
                                       &(cop_spawn_options){ .monitor = true,
                                                             .trap_exit = index % 2 == 0,
                                                             .ret_ref = &chief->refs[index] });
    ck_assert(!cop_pid_is_none(chief->pids[index]));
    chief->is_ready[index] = false;
    chief->spawned++;
}

static int index_of(const struct chief *chief, cop_pid pid)
{
    int i = 0;
    while (i < WORKERS && !cop_pid_equal(chief->pids[i], pid)) i++;
    ck_assert_int_lt(i, WORKERS);
    return i;
}

/* The end of a worker, which is heard of once. */
static int note_end(struct chief *chief, const cop_down_message *down)
{
    int index = index_of(chief, down->pid);
    ck_assert(cop_ref_equal(chief->refs[index], down->ref));
    chief->pids[index] = COP_NO_PID;
    chief->ended++;
    return index;
}

/* Until the steps are used up and each worker is ready or has ended. */
static void oversee(struct chief *chief)
{
    for (int i = 0; i < WORKERS; i++) place(chief, i);
    for (int waiting = WORKERS; waiting > 0;) {
        const cop_message *message = cop_receive(COP_INFINITY);
        if (cop_is(message, ready)) {
            chief->is_ready[index_of(chief, message->from)] = true;
            waiting--;
            continue;
        }
        int index = note_end(chief, cop_expect(message, cop_down_message));
        if (atomic_load(&world.steps) > 0) {
            waiting += chief->is_ready[index];
            place(chief, index);
        } else {
            waiting -= !chief->is_ready[index];
        }
    }
}

/* An answer from each that lives or its end; returns how many ended. */
static int ask_all(struct chief *chief, const cop_message_type *question)
{
    bool is_asked[WORKERS] = { false };
    int asked = 0, ended = 0;
    for (int i = 0; i < WORKERS; i++) {
        if (cop_pid_is_none(chief->pids[i]))
            continue;
        cop_send_message(cop_to(chief->pids[i]), cop_message_new(question, NULL, 0));
        is_asked[i] = true;
        asked++;
    }
    while (asked > 0) {
        const cop_message *message = cop_receive(COP_INFINITY);
        int index;
        if (cop_is(message, cop_down_message)) {
            index = note_end(chief, cop_get(message, cop_down_message));
            ended++;
        } else {
            ck_assert(cop_is(message, reply));
            index = index_of(chief, message->from);
        }
        asked -= is_asked[index];
        is_asked[index] = false;
    }
    return ended;
}

/* What was sent before a worker's answer has arrived; what that caused, with the next answer.  So
 * after some rounds in which nobody ended and the short-lived are gone, nothing is under way. */
static void wait_for_quiet(struct chief *chief)
{
    for (int quiet = 0; quiet < QUIET_ROUNDS;) {
        int ended = ask_all(chief, COP_TYPE(probe));
        size_t alive = 1;
        for (int i = 0; i < WORKERS; i++) alive += !cop_pid_is_none(chief->pids[i]);
        quiet = ended == 0 && copi_slots_in_use() == alive ? quiet + 1 : 0;
        cop_yield();
    }
}

/* ---- inspection: nobody else runs ---------------------------------------------------- */

struct inspection {
    cop_pid self;
    long links, monitors, watchers;
};

static struct relation *find_watcher(struct process *process, cop_pid owner, uint64_t serial)
{
    struct hash_node *node =
        copi_hash_find(&process->relations, owner.bits ^ serial * 0x9e3779b97f4a7c15u);
    for (; node != NULL; node = copi_hash_again(node)) {
        struct relation *relation = (struct relation *)node;
        if (relation->kind == RELATION_WATCHER && relation->serial == serial &&
            cop_pid_equal(relation->other, owner))
            return relation;
    }
    return NULL;
}

static void inspect(struct hash_node *node, void *context)
{
    struct inspection *inspection = context;
    struct relation *relation = (struct relation *)node, *other;
    struct process *process;
    switch ((enum relation_kind)relation->kind) {
    case RELATION_LINK:
        process = copi_process_alive((cop_pid){ node->key });
        ck_assert_msg(process != NULL, "a link to the dead");
        other = copi_relation_find(process, RELATION_LINK, inspection->self.bits);
        ck_assert_msg(other != NULL, "a link that the other side does not have");
        ck_assert_msg(relation->serial == 0 && other->serial == 0, "an unlink without an answer");
        inspection->links++;
        break;
    case RELATION_MONITOR:
        process = copi_process_alive(relation->other);
        ck_assert_msg(process != NULL, "a monitor of the dead that has not fired");
        ck_assert_msg(find_watcher(process, inspection->self, node->key) != NULL,
                      "a monitor that the other side does not know of");
        inspection->monitors++;
        break;
    case RELATION_WATCHER:
        process = copi_process_alive(relation->other);
        ck_assert_msg(process != NULL, "watched by the dead");
        ck_assert_msg(copi_relation_find(process, RELATION_MONITOR, relation->serial) != NULL,
                      "watched by one who has taken its monitor off");
        inspection->watchers++;
        break;
    case RELATION_ALIAS: ck_abort_msg("an alias that nobody made"); break;
    case RELATION_TIMER: ck_abort_msg("a timer that has not fired"); break;
    case RELATION_ROOM: ck_abort_msg("a wait for room that nobody began"); break;
    }
}

static void inspect_all(const struct chief *chief)
{
    struct inspection inspection = { .links = 0 };
    for (int i = 0; i <= WORKERS; i++) {
        inspection.self = i == WORKERS ? cop_self() : chief->pids[i];
        if (!cop_pid_is_none(inspection.self))
            copi_hash_each(&copi_process_alive(inspection.self)->relations, inspect, &inspection);
    }
    ck_assert_int_eq(inspection.monitors, inspection.watchers);
    ck_assert_int_eq(inspection.links % 2, 0);
}

/* ---- the story ----------------------------------------------------------------------- */

static void end_everybody(struct chief *chief)
{
    for (int i = 0; i < WORKERS; i++)
        if (!cop_pid_is_none(chief->pids[i]))
            cop_exit_process(chief->pids[i], COP_KILL);
    while (chief->ended < chief->spawned)
        note_end(chief, cop_receive_type(cop_down_message, COP_INFINITY));
    for (char name[] = "name_a"; name[5] < 'a' + NAMES; name[5]++)
        ck_assert(cop_pid_is_none(cop_whereis(name)));
    ck_assert_uint_eq(cop_mailbox_length(), 0);
}

static void runs_the_world(void *argument)
{
    (void)argument;
    struct chief *chief = cop_alloc(sizeof *chief);
    oversee(chief);
    cop_sleep(5);                        /* the last timers */
    wait_for_quiet(chief);
    inspect_all(chief);
    ck_assert_int_eq(ask_all(chief, COP_TYPE(settle_accounts)), 0);

    for (int i = 0; i < WORKERS; i += 2)
        if (!cop_pid_is_none(chief->pids[i]))
            cop_exit_process(chief->pids[i], cop_random_below(2) == 0 ? COP_KILL : COP_SHUTDOWN);
    wait_for_quiet(chief);
    inspect_all(chief);
    ck_assert_int_eq(ask_all(chief, COP_TYPE(settle_accounts)), 0);
    end_everybody(chief);
}

static void reset(long steps)
{
    for (int i = 0; i < WORKERS; i++) atomic_store(&world.pids[i], 0);
    atomic_store(&world.steps, steps);
    atomic_store(&world.begun, 0);
    atomic_store(&world.sent, 0);
    atomic_store(&world.dropped, 0);
}

static void check_accounts(void)
{
    long begun = atomic_load(&world.begun), sent = atomic_load(&world.sent);
    ck_assert_int_gt(sent, 0);
    ck_assert_int_ge(atomic_load(&world.dropped), sent);
    ck_assert_int_le(atomic_load(&world.dropped), begun);
}

START_TEST(when_all_is_quiet_all_sides_agree)
{
    static const int threads[] = { 1, 2, 3, 8 };
    reset(STEPS);
    ck_assert_int_eq(run_node_threads(runs_the_world, NULL, threads[_i]), 0);
    check_accounts();
}
END_TEST

START_TEST(from_any_seed_all_sides_agree)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        reset(SEED_STEPS);
        ck_assert_msg(run_node_seeded(runs_the_world, NULL, seed) == 0, "seed %d", (int)seed);
        check_accounts();
    }
}
END_TEST

static Suite *signals_suite(void)
{
    Suite *suite = suite_create("stress_signals");
    TCase *tests = tcase_create("stress_signals");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, when_all_is_quiet_all_sides_agree, 0, 4);
    tcase_add_test(tests, from_any_seed_all_sides_agree);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(signals_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
