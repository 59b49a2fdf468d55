/* test_stress_races.c - narrow races, provoked one by one on real threads: two processes that
 * link and unlink each other at the same time, an exit that crosses an unlink, a message that
 * meets its receiver's successor or its receiver's end.
 *
 * A round of these costs a microsecond, or, where other programs want the processors too, some of
 * the system's time slices.  So there are as many as fit into a time, and at least a few. */
#include <coppice/coppice.h>

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "node.h"
#include "runtime/relation.h"
#include "runtime/scheduler.h"
#include "watch.h"
#include "ways_to_crash.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SCALE = 1 };
#else
enum { SCALE = 10 };
#endif
enum { TIME_MS = 500, ROUNDS_MIN = 10 };

COP_MESSAGE(done, COP_EMPTY);

static int64_t deadline_ms;

static bool may_stop(long rounds, long wanted)
{
    return rounds >= wanted || (rounds >= ROUNDS_MIN && cop_now_ms() >= deadline_ms);
}

/* ---- two threads --------------------------------------------------------------------------------
 *
 * The first process lives on one, its partner on the other one. */

enum { THREADS = 2, OVER = 1000000000 };

/* Without entering the runtime, so that nothing is received meanwhile and the thread is not given
 * to another process. */
static long spin_until(const _Atomic long *word, long value)
{
    long now;
    while ((now = atomic_load(word)) < value)
        sched_yield();               /* the system may have put the other thread aside */
    return now;
}

static _Atomic long partner_lives;

struct partner {
    cop_function *function;
    cop_pid other;
};

static void is_partner(void *argument)
{
    struct partner *partner = argument;
    cop_yield();                     /* from here on it holds a stack and stays */
    atomic_store(&partner_lives, 1);
    partner->function(&partner->other);
    cop_send(partner->other, done);
}

/* While the caller holds its own thread, only the other one can take the partner. */
static cop_pid spawn_partner(cop_function *function)
{
    struct partner partner = { function, cop_self() };
    cop_yield();                     /* the caller holds a stack and stays as well */
    int here = copi_scheduler->index;
    deadline_ms = cop_now_ms() + TIME_MS;
    cop_pid pid = cop_spawn_link(is_partner, &partner, sizeof partner);
    spin_until(&partner_lives, 1);
    expect_that(here == copi_scheduler->index);
    return pid;
}

/* ---- both link and unlink at once ------------------------------------------------------------ */

COP_MESSAGE(flush, COP_EMPTY);
COP_MESSAGE(view, { int linked; });

enum { QUARRELS = 500 * SCALE };
static _Atomic long at_the_start[2], agreed[2];

/* 2: a link that is being taken away. */
static int view_of_link(cop_pid other)
{
    struct relation *link = copi_relation_find(copi_self(), RELATION_LINK, other.bits);
    return link == NULL ? 0 : link->serial == 0 ? 1 : 2;
}

/* What the other has sent before its flush has arrived then; an answer to that, with the next. */
static void exchange_flushes(cop_pid other)
{
    for (int i = 0; i < 3; i++) {
        cop_send(other, flush);
        expect_that(cop_receive_type(flush, COP_INFINITY) != NULL);
    }
}

static void link_and_unlink_at_random(cop_pid other)
{
    uint64_t dice = cop_random();
    for (int i = 0; i < 12; i++, dice >>= 2) {
        if (dice % 4 == 0)
            expect_that(cop_link(other) == COP_OK);
        else if (dice % 4 == 1)
            cop_unlink(other);
        else if (dice % 4 == 2)
            cop_yield();                 /* receives what has come so far */
    }
}

/* One side says which round is the last. */
static bool begin_round(int side, long round)
{
    bool over = side == 0 && may_stop(round - 1, QUARRELS);
    atomic_store(&at_the_start[side], over ? OVER : round);
    return spin_until(&at_the_start[1 - side], round) != OVER && !over;
}

static void quarrel(cop_pid other, int side)
{
    for (long round = 1; begin_round(side, round); round++) {
        link_and_unlink_at_random(other);
        exchange_flushes(other);
        int mine = view_of_link(other);
        cop_send(other, view, .linked = mine);
        int theirs = cop_receive_type(view, COP_INFINITY)->linked;
        if (mine != theirs || mine == 2)
            ck_abort_msg("round %ld: this side: %d, the other: %d", round, mine, theirs);
        atomic_fetch_add(&agreed[mine], 1);
        exchange_flushes(other);
    }
}

static void quarrels_as_partner(void *argument)
{
    quarrel(*(cop_pid *)argument, 1);
}

static void quarrels(void *argument)
{
    (void)argument;
    cop_pid other = spawn_partner(quarrels_as_partner);
    quarrel(other, 0);
    expect_that(cop_receive_type(done, COP_INFINITY) != NULL);
}

START_TEST(two_that_link_and_unlink_each_other_at_once_agree_in_the_end)
{
    ck_assert_int_eq(run_node_threads(quarrels, NULL, THREADS), 0);
    ck_assert_int_ge(agreed[0] + agreed[1], 2 * ROUNDS_MIN);
    ck_assert_int_gt(agreed[0], 0);
    ck_assert_int_gt(agreed[1], 0);
}
END_TEST

/* ---- an exit crosses an unlink ------------------------------------------------------------------
 *
 * After unlink has returned the link has no effect on the caller any more (erlang:unlink/1).  What
 * was received before would still count: therefore the one that unlinks receives nothing from the
 * moment on from which its victim may end. */

enum { CROSSINGS = 200 * SCALE };
static _Atomic long may_end, dies_now, crossings;
static _Atomic uint64_t victim_bits;
static _Atomic int home_of_survivor;

struct victim {
    long round;
    cop_pid other;
};

/* Ends when told, in every third round having let go of the link itself.  It may have been taken
 * to the survivor's thread, where nobody would run it while the survivor spins: then it is none. */
static void ends_when_told(void *argument)
{
    const struct victim *victim = argument;
    cop_yield();
    if (copi_scheduler->index == atomic_load(&home_of_survivor))
        return;
    atomic_store(&victim_bits, cop_self().bits);
    while (atomic_load(&may_end) < victim->round) cop_yield();
    atomic_store(&dies_now, victim->round);
    if (victim->round % 3 == 0)
        cop_unlink(victim->other);
    cop_exit(cop_reason_atom("boom"));
}

/* Breeds victims, one after the other. */
static void breeds(void *argument)
{
    for (long round = 1; !may_stop(round - 1, CROSSINGS);) {
        cop_ref ref;
        struct victim order = { round, *(cop_pid *)argument };
        cop_spawn_monitor(ends_when_told, &order, sizeof order, &ref);
        cop_message *message = cop_take(&(cop_match){ .ref = ref }, COP_INFINITY);
        round += !cop_reason_is(cop_get(message, cop_down_message)->reason, "normal");
        cop_message_free(message);
    }
    atomic_store(&victim_bits, OVER);
}

static cop_pid next_victim(cop_pid last)
{
    cop_pid victim = last;
    while (cop_pid_equal(victim, last)) {
        cop_yield();
        victim.bits = atomic_load(&victim_bits);
    }
    return victim;
}

/* Links, and unlinks when the victim is about to end or has ended.  It does not trap exits, so an
 * exit that has an effect all the same is its end.  In the end nothing is left of the link, or
 * this never ends. */
static void survives(void *argument)
{
    (void)argument;
    atomic_store(&home_of_survivor, copi_scheduler->index);
    cop_pid partner = spawn_partner(breeds);
    cop_pid victim = COP_NO_PID;
    while ((victim = next_victim(victim)).bits != OVER) {
        long round = atomic_load(&crossings) + 1;
        expect_that(cop_link(victim) == COP_OK);
        cop_ref ref = cop_monitor(victim);
        if (round % 4 == 0)
            cop_yield();                               /* time for the link to arrive */
        atomic_store(&may_end, round);
        spin_until(&dies_now, round);
        if (round % 2 == 0)
            while (cop_is_alive(victim)) sched_yield();      /* the exit is under way */
        cop_unlink(victim);
        cop_message_free(cop_take(&(cop_match){ .ref = ref }, COP_INFINITY));
        while (copi_relation_find(copi_self(), RELATION_LINK, victim.bits) != NULL) cop_yield();
        atomic_store(&crossings, round);
    }
    expect_that(cop_receive_type(done, COP_INFINITY) != NULL);
    cop_unlink(partner);
    expect_that(cop_mailbox_length() == 0);
}

START_TEST(an_exit_that_is_under_way_when_the_link_is_taken_away_has_no_effect)
{
    ck_assert_int_eq(run_node_threads(survives, NULL, THREADS), 0);
    ck_assert_int_ge(crossings, ROUNDS_MIN);
}
END_TEST

/* ---- a message meets its receiver's successor ------------------------------------------------ */

COP_MESSAGE(meant_for, { cop_pid pid; });

enum { SENDERS = 6, SUCCESSORS = 2000 * SCALE };
static _Atomic uint64_t current;
static _Atomic bool over;
static _Atomic long arrived;

/* Every other one waits until something has come; the others end with all of it under way. */
static void checks_its_mail(void *argument)
{
    bool waits = (intptr_t)argument % 2 == 0;
    atomic_store(&current, cop_self().bits);
    for (int i = 0; i < 3; i++) {
        bool first = waits && i == 0;
        const meant_for *message = cop_receive_type(meant_for, first ? COP_INFINITY : 0);
        expect_that(message == NULL || cop_pid_equal(message->pid, cop_self()));
        atomic_fetch_add(&arrived, message != NULL);
    }
}

static void sends_to_the_current(void *argument)
{
    (void)argument;
    for (int i = 0; !atomic_load(&over); i++) {
        cop_pid pid = { atomic_load(&current) };
        cop_send(pid, meant_for, .pid = pid);
        if (i % 50 == 0) {
            cop_demonitor_flush(cop_monitor(pid));
            cop_yield();
        }
    }
    cop_send(cop_parent(), done);
}

static void raises_successors(void *argument)
{
    (void)argument;
    deadline_ms = cop_now_ms() + TIME_MS;
    for (int i = 0; i < SENDERS; i++) cop_spawn_link(sends_to_the_current, NULL, 0);
    for (int i = 0; !may_stop(i, SUCCESSORS); i++) {
        cop_ref ref;
        cop_spawn_monitor(checks_its_mail, (void *)(intptr_t)i, 0, &ref);
        cop_message *message = cop_take(&(cop_match){ .ref = ref }, COP_INFINITY);
        expect_that(cop_reason_is(cop_get(message, cop_down_message)->reason, "normal"));
        cop_message_free(message);
    }
    atomic_store(&over, true);
    for (int i = 0; i < SENDERS; i++) expect_that(cop_receive_type(done, COP_INFINITY) != NULL);
    expect_that(cop_mailbox_length() == 0);
}

START_TEST(a_message_never_reaches_the_successor_of_its_receiver)
{
    ck_assert_int_eq(run_node_threads(raises_successors, NULL, 4), 0);
    ck_assert_int_ge(arrived, ROUNDS_MIN / 2);
}
END_TEST

/* ---- a message meets its receiver's end ------------------------------------------------------ */

static void drop_with_a_crash(void *payload);
COP_MESSAGE_WITH(bomb, { int n; }, drop_with_a_crash);

enum { BOMBERS = 4, BOMBS = 5, BOMBINGS = 100 * SCALE };
static _Atomic long made, dropped, dropped_by_the_dying;
static _Atomic uint64_t dying;
static long made_before;            /* when the receiver was spawned; -1: it does not matter */

static void drop_with_a_crash(void *payload)
{
    cop_pid self = cop_self();       /* none: of one that cannot be found any more */
    bool by_the_dying = cop_pid_is_none(self) || self.bits == atomic_load(&dying);
    atomic_fetch_add(&dropped, 1);
    atomic_fetch_add(&dropped_by_the_dying, by_the_dying);
    switch (((const bomb *)payload)->n % 4) {
    case 0: crash_null_write(); break;
    case 1: cop_raise("dropped");
    case 2: cop_exit(cop_reason_atom("dropped"));
    default: break;
    }
}

/* If the receiver is dead already, the message is the sender's to drop, and its end. */
static void throws_bombs(void *argument)
{
    const cop_pid *target = argument;
    for (int i = 0; i < BOMBS; i++) {
        atomic_fetch_add(&made, 1);
        cop_send(*target, bomb, .n = i);
    }
}

/* Each other time it keeps its thread until a bomb is thrown, on another one then. */
static void ends_amid_bombs(void *argument)
{
    (void)argument;
    atomic_store(&dying, cop_self().bits);
    while (atomic_load(&made) == made_before) sched_yield();
    for (uint64_t turns = cop_random_below(4); turns > 0; turns--) sched_yield();
    cop_exit(cop_reason_atom("boom"));
}

static void watches_the_bombed(void *argument)
{
    (void)argument;
    deadline_ms = cop_now_ms() + TIME_MS;
    for (int i = 0; !may_stop(i, BOMBINGS); i++) {
        cop_ref refs[BOMBERS + 1];
        made_before = i % 2 == 0 ? atomic_load(&made) : -1;
        cop_pid target = cop_spawn_monitor(ends_amid_bombs, NULL, 0, &refs[BOMBERS]);
        for (int j = 0; j < BOMBERS; j++)
            cop_spawn_monitor(throws_bombs, &target, sizeof target, &refs[j]);
        for (int j = 0; j <= BOMBERS; j++) {
            cop_message *message = cop_take(&(cop_match){ .ref = refs[j] }, COP_INFINITY);
            const cop_reason *reason = cop_get(message, cop_down_message)->reason;
            expect_that(j < BOMBERS || cop_reason_is(reason, "boom"));
            cop_message_free(message);
        }
        expect_that(atomic_load(&dropped) == atomic_load(&made));
    }
    expect_that(cop_process_count() == 1 && cop_mailbox_length() == 0);
}

START_TEST(each_message_to_the_dying_is_dropped_once_though_drop_functions_crash)
{
    ck_assert_int_eq(run_node_threads(watches_the_bombed, NULL, 4), 0);
    ck_assert_int_gt(dropped_by_the_dying, 0);
    ck_assert_int_eq(dropped, made);
}
END_TEST

/* ---- who holds a stack stays on its thread --------------------------------------------------- */

enum { RESIDENTS = 40, MOVES = 100 * SCALE };

static void is_resident(void *argument)
{
    (void)argument;
    cop_yield();
    pid_t thread = gettid();
    for (int i = 0; !may_stop(i, MOVES); i++) {
        switch (cop_random_below(4)) {
        case 0: cop_sleep(0); break;
        case 1: cop_receive(0); break;
        case 2: cop_send(cop_self(), done); cop_receive(COP_INFINITY); break;
        default: cop_yield();
        }
        expect_that(gettid() == thread);
    }
    cop_send(cop_parent(), done);
}

/* All begin on one thread; some are taken to the others before they have a stack. */
static void settles_residents(void *argument)
{
    (void)argument;
    deadline_ms = cop_now_ms() + TIME_MS;
    for (int i = 0; i < RESIDENTS; i++) cop_spawn_link(is_resident, NULL, 0);
    for (int i = 0; i < RESIDENTS; i++)
        expect_that(cop_receive_type(done, COP_INFINITY) != NULL);
}

START_TEST(a_process_that_holds_a_stack_stays_on_its_thread)
{
    ck_assert_int_eq(run_node_threads(settles_residents, NULL, 4), 0);
}
END_TEST

static Suite *races_suite(void)
{
    Suite *suite = suite_create("stress_races");
    TCase *tests = tcase_create("stress_races");
    tcase_add_test(tests, two_that_link_and_unlink_each_other_at_once_agree_in_the_end);
    tcase_add_test(tests, an_exit_that_is_under_way_when_the_link_is_taken_away_has_no_effect);
    tcase_add_test(tests, a_message_never_reaches_the_successor_of_its_receiver);
    tcase_add_test(tests, each_message_to_the_dying_is_dropped_once_though_drop_functions_crash);
    tcase_add_test(tests, a_process_that_holds_a_stack_stays_on_its_thread);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(races_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
