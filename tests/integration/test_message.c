/* test_message.c - messages: their types, what they own, the mailbox's order, selective receive. */
#include <coppice/coppice.h>

#include <stdlib.h>
#include <string.h>

#include "node.h"
#include "trace.h"
#include "watch.h"
#include "ways_to_crash.h"

COP_MESSAGE(go, COP_EMPTY);
COP_MESSAGE(note, { int n; });
COP_MESSAGE(letter, { char text[40]; double weight; });
COP_CALL(sum, { int a; int b; }, { int total; });

/* A message that owns a number of a ledger: made as many times as dropped in the end. */
static _Atomic int made, dropped;
static void drop_owned(void *payload)
{
    ck_assert_ptr_nonnull(payload);
    dropped++;
}
COP_MESSAGE_WITH(owned, { int n; }, drop_owned);
COP_MESSAGE_WITH(parcel, { cop_buffer *content; }, cop_buffer_drop);

static cop_message *new_owned(int n)
{
    made++;
    return cop_new(owned, .n = n);
}

static void expect_story(cop_function *story, const char *expected)
{
    trace_reset();
    made = dropped = 0;
    ck_assert_int_eq(run_node(story, NULL), 0);
    trace_expect(expected);
    ck_assert_int_eq(made, dropped);
}

/* ---- types --------------------------------------------------------------------------- */

static void looks_at_types(void *argument)
{
    (void)argument;
    cop_send(cop_self(), letter, .text = "hello", .weight = 2.5);
    const cop_message *message = cop_receive(0);
    ck_assert_ptr_eq(message->type, COP_TYPE(letter));
    ck_assert_str_eq(message->type->name, "letter");
    ck_assert_uint_eq(message->type->size, sizeof(letter));
    ck_assert_uint_eq(message->size, sizeof(letter));
    ck_assert_int_eq(message->kind, COP_INFO);
    ck_assert(cop_pid_equal(message->from, cop_self()));
    ck_assert(cop_is(message, letter) && !cop_is(message, note));
    ck_assert_ptr_null(cop_get(message, note));
    ck_assert_ptr_null(cop_get(NULL, letter));
    trace("%s of %.1f", cop_get(message, letter)->text, cop_expect(message, letter)->weight);
    cop_send(cop_self(), sum_reply, .total = 3);
    ck_assert(cop_is(cop_receive(0), sum_reply));
}

START_TEST(a_message_has_its_type_its_fields_and_its_sender)
{
    expect_story(looks_at_types, "hello of 2.5\n");
}
END_TEST

static void expects_another(void *argument)
{
    (void)argument;
    cop_expect(cop_receive(COP_INFINITY), note);
    trace("not reached");
}

static void expects_something(void *argument)
{
    (void)argument;
    cop_expect(cop_receive(0), note);
}

static void sends_the_wrong_type(void *argument)
{
    (void)argument;
    cop_ref ref;
    cop_send(cop_spawn_monitor(expects_another, NULL, 0, &ref), letter, .text = "surprise");
    trace_down("of another type", ref);
    trace_end_of("none", expects_something, NULL);
}

START_TEST(a_message_of_another_type_than_expected_ends_the_process_with_both_names)
{
    expect_story(sends_the_wrong_type,
                 "of another type down: error:bad_message: expected note, got letter\n"
                 "none down: error:bad_message: expected note, got none\n");
}
END_TEST

static void sends_more_than_the_struct(void *argument)
{
    (void)argument;
    static const size_t extras[] = { 0, 1, 100, 5000, 1 << 20 };
    for (size_t i = 0; i < sizeof extras / sizeof *extras; i++) {
        char *payload = cop_alloc(sizeof(note) + extras[i]);
        memset(payload, (int)('a' + i), sizeof(note) + extras[i]);
        cop_send_message(cop_to(cop_self()), cop_message_new(COP_TYPE(note), payload, extras[i]));
        memset(payload, '?', sizeof(note) + extras[i]);
        const cop_message *message = cop_receive(0);
        ck_assert_uint_eq(message->size, sizeof(note) + extras[i]);
        const char *got = cop_payload_const(message);
        for (size_t j = 0; j < message->size; j++) expect_that(got[j] == (char)('a' + i));
        cop_free(payload);
    }
    cop_message *zeroed = cop_message_new(COP_TYPE(letter), NULL, 100);
    for (size_t j = 0; j < zeroed->size; j++) expect_that(((char *)cop_payload(zeroed))[j] == 0);
    ck_assert_uint_eq((uintptr_t)cop_payload(zeroed) % _Alignof(max_align_t), 0);
    cop_message_free(zeroed);
}

START_TEST(extra_bytes_travel_behind_the_struct_and_without_payload_all_is_zero)
{
    expect_story(sends_more_than_the_struct, "");
}
END_TEST

static void makes_a_message_from_nowhere(void *argument)
{
    cop_message_new(COP_TYPE(letter), argument, 0);
}

static void makes_a_message_too_large(void *argument)
{
    (void)argument;
    cop_message_new(COP_TYPE(letter), NULL, SIZE_MAX - 8);
}

static void makes_bad_messages(void *argument)
{
    (void)argument;
    trace_end_of("from a wild pointer", makes_a_message_from_nowhere, (void *)16);
    trace_end_of("too large", makes_a_message_too_large, NULL);
    ck_assert_int_eq(cop_send_message(cop_to(cop_self()), NULL), COP_EINVAL);
}

START_TEST(a_message_that_cannot_be_made_is_its_makers_end)
{
    expect_story(makes_bad_messages, "from a wild pointer down: crash:SIGSEGV\n"
                                     "too large down: enomem\n");
}
END_TEST

/* ---- what a message owns is dropped once --------------------------------------------- */

static void takes_some(void *argument)
{
    (void)argument;
    cop_receive(COP_INFINITY);                       /* dropped by the next receive */
    cop_receive(COP_INFINITY);                       /* and this one by the one below */
    cop_message_free(cop_take(NULL, COP_INFINITY));  /* here */
    cop_take(NULL, COP_INFINITY);                    /* taken, never freed: at the end */
    cop_message *back = cop_take(NULL, COP_INFINITY);
    cop_send_message(cop_to(cop_parent()), back);    /* by the receiver */
    new_owned(0);                                    /* never sent: at the end */
    cop_receive_type(go, COP_INFINITY);              /* the others are never read */
    trace("dropped before the end: %d", dropped);
}

static void owns_messages(void *argument)
{
    (void)argument;
    cop_pid reader = cop_spawn(takes_some, NULL, 0);
    for (int i = 1; i <= 9; i++) cop_send_message(cop_to(reader), new_owned(i));
    settle();
    ck_assert_int_eq(cop_receive_type(owned, 0)->n, 5);
    cop_send(reader, go);
    settle();
    trace("and after it: %d of %d", dropped, made);
    ck_assert(cop_receive(0) == NULL);
    trace("with the one that came back: %d", dropped);

    cop_send_message(cop_to(reader), new_owned(1));
    trace("sent to the dead: %d of %d", dropped, made);
    ck_assert_int_eq(cop_send_message(cop_to("nobody"), new_owned(1)), COP_ENOPROC);
    trace("to a name that nobody has: %d of %d", dropped, made);
    cop_ref alias = cop_alias(COP_ALIAS_EXPLICIT);
    ck_assert(cop_unalias(alias));
    cop_send_message(cop_to(alias), new_owned(1));
    settle();
    trace("to an alias that is off: %d of %d", dropped, made);
    cop_message_free(new_owned(1));
    trace("never sent: %d of %d", dropped, made);
    cop_message_free(NULL);
    cop_send_message(cop_to(cop_self()), new_owned(1));
}

START_TEST(what_a_message_owns_is_dropped_once_whatever_becomes_of_it)
{
    expect_story(owns_messages, "dropped before the end: 3\n"
                                "and after it: 9 of 10\n"
                                "with the one that came back: 10\n"
                                "sent to the dead: 11 of 11\n"
                                "to a name that nobody has: 12 of 12\n"
                                "to an alias that is off: 13 of 13\n"
                                "never sent: 14 of 14\n");
}
END_TEST

static void dies_with_messages(void *argument)
{
    for (int i = 0; i < 5; i++) cop_send_message(cop_to(cop_self()), new_owned(i));
    cop_receive(COP_INFINITY);
    cop_take(NULL, COP_INFINITY);
    new_owned(5);
    cop_send_after_message(cop_to(cop_self()), 1000, new_owned(6));
    switch ((intptr_t)argument) {
    case 0: return;
    case 1: cop_exit(cop_reason_atom("boom")); break;
    case 2: crash_null_write(); break;
    case 3: abort();
    case 4: cop_exit_process(cop_self(), COP_KILL); break;
    default: cop_receive_type(go, COP_INFINITY);
    }
}

static void watches_the_dying(void *argument)
{
    (void)argument;
    trace_end_of("0", dies_with_messages, (void *)0);
    trace_end_of("1", dies_with_messages, (void *)1);
    trace_end_of("2", dies_with_messages, (void *)2);
    trace_end_of("3", dies_with_messages, (void *)3);
    trace_end_of("4", dies_with_messages, (void *)4);
    ck_assert_int_eq(made, 5 * 7);
    ck_assert_int_eq(dropped, made);
    cop_spawn(dies_with_messages, (void *)5, 0);      /* the node ends it */
    settle();
}

START_TEST(messages_die_with_their_process_however_it_ends)
{
    expect_story(watches_the_dying, "0 down: normal\n"
                                    "1 down: boom\n"
                                    "2 down: crash:SIGSEGV\n"
                                    "3 down: crash:SIGABRT\n"
                                    "4 down: killed\n");
}
END_TEST

/* ---- drop functions that crash --------------------------------------------------------------- */

static void explode(void *payload)
{
    trace("    boom %d", *(int *)payload);
    crash_null_write();
}
COP_MESSAGE_WITH(bomb, { int n; }, explode);

static void frees_bombs(void *argument)
{
    (void)argument;
    cop_message_free(cop_new(bomb, .n = 1));
}

static void receives_bombs(void *argument)
{
    (void)argument;
    cop_send(cop_self(), bomb, .n = 2);
    cop_receive(0);
    cop_receive(0);
}

static void sends_bombs_nowhere(void *argument)
{
    (void)argument;
    cop_send("nobody", bomb, .n = 3);
}

static void sends_bombs_to_the_dead(void *argument)
{
    cop_send(*(cop_pid *)argument, bomb, .n = 4);
}

static void sends_bombs_through_nothing(void *argument)
{
    (void)argument;
    cop_ref alias = cop_alias(COP_ALIAS_EXPLICIT);
    cop_unalias(alias);
    cop_send(alias, bomb, .n = 5);
    cop_yield();
}

static void leaves_bombs(void *argument)
{
    (void)argument;
    cop_send(cop_self(), bomb, .n = 6);
    cop_send(cop_self(), bomb, .n = 7);
    ck_assert_uint_eq(cop_mailbox_length(), 2);      /* received, not taken */
    made++;
    cop_send(cop_self(), owned, .n = 0);
    cop_receive_match(&(cop_match){ .type = COP_TYPE(bomb) }, 0);
    cop_take(NULL, 0);
    cop_exit(cop_reason_atom("done"));
}

static void plays_with_bombs(void *argument)
{
    (void)argument;
    cop_pid dead = cop_spawn(frees_bombs, NULL, 0);
    settle();
    trace_end_of("received", receives_bombs, NULL);
    trace_end_of("sent to a name", sends_bombs_nowhere, NULL);
    trace_end_of("sent to the dead", sends_bombs_to_the_dead, &dead);
    trace_end_of("sent through an alias", sends_bombs_through_nothing, NULL);
    trace_end_of("left", leaves_bombs, NULL);
    ck_assert_uint_eq(cop_process_count(), 1);
}

START_TEST(a_drop_function_that_crashes_is_the_end_of_its_process_alone)
{
    expect_story(plays_with_bombs, "    boom 1\n"
                                   "    boom 2\n"
                                   "received down: crash:SIGSEGV\n"
                                   "    boom 3\n"
                                   "sent to a name down: crash:SIGSEGV\n"
                                   "    boom 4\n"
                                   "sent to the dead down: crash:SIGSEGV\n"
                                   "    boom 5\n"
                                   "sent through an alias down: crash:SIGSEGV\n"
                                   "    boom 6\n"
                                   "    boom 7\n"
                                   "left down: done\n");
}
END_TEST

/* ---- buffers ------------------------------------------------------------------------- */

static void reads_a_parcel(void *argument)
{
    const parcel *got = cop_receive_type(parcel, COP_INFINITY);
    ck_assert_ptr_eq(got->content, argument);
    trace("%zu bytes: %s", cop_buffer_size(got->content),
          (const char *)cop_buffer_bytes(got->content));
    if (cop_receive(10) == NULL)
        cop_raise("with it in the hand");
}

static void sends_parcels(void *argument)
{
    (void)argument;
    char bytes[] = "shared";
    cop_buffer *buffer = cop_buffer_new(bytes, sizeof bytes);
    memset(bytes, 'x', sizeof bytes - 1);
    for (int i = 0; i < 3; i++) {
        cop_pid reader = cop_spawn(reads_a_parcel, buffer, 0);
        cop_send(reader, parcel, .content = cop_buffer_ref(buffer));
    }
    cop_buffer_unref(buffer);
    cop_buffer_unref(NULL);
    cop_sleep(20);
    cop_buffer *empty = cop_buffer_new(NULL, 0);
    ck_assert_uint_eq(cop_buffer_size(empty), 0);
    cop_undefer(cop_own_buffer(cop_buffer_ref(empty)), true);
    cop_undefer(cop_own_buffer(empty), false);
    cop_own_buffer(empty);
}

START_TEST(a_buffer_is_shared_and_goes_with_its_last_reference)
{
    expect_story(sends_parcels, "7 bytes: shared\n"
                                "7 bytes: shared\n"
                                "7 bytes: shared\n");     /* leaks: the sanitizer tells */
}
END_TEST

/* ---- order and selection ------------------------------------------------------------- */

static void selects(void *argument)
{
    const cop_pid *other = argument;
    cop_receive_type(go, COP_INFINITY);
    trace("there are %zu", cop_mailbox_length());
    trace("a letter: %s", cop_receive_type(letter, 0)->text);
    const cop_message *message = cop_receive_match(&(cop_match){ .from = *other }, 0);
    trace("from the other: %d", cop_expect(message, note)->n);
    message = cop_receive_match(&(cop_match){ .type = COP_TYPE(note), .from = *other }, 0);
    trace("a note from the other: %d", cop_expect(message, note)->n);
    ck_assert(cop_receive_match(&(cop_match){ .type = COP_TYPE(letter), .from = *other }, 0) ==
              NULL);
    ck_assert(cop_receive_type(letter, 0) == NULL);
    while ((message = cop_receive(0)) != NULL) trace("then %d", cop_expect(message, note)->n);
    ck_assert_uint_eq(cop_mailbox_length(), 0);
}

static void sends_notes(void *argument)
{
    cop_pid to = *(cop_pid *)argument;
    cop_send(to, note, .n = 10);
    cop_send(to, note, .n = 11);
    cop_send(to, note, .n = 12);
}

static void sends_a_mixture(void *argument)
{
    (void)argument;
    cop_pid self = cop_self();
    cop_pid selector = cop_spawn(selects, &self, sizeof self);
    for (int i = 1; i <= 3; i++) cop_send(selector, note, .n = i);
    cop_pid sender = cop_spawn(sends_notes, &selector, sizeof selector);
    (void)sender;
    settle();
    cop_send(selector, letter, .text = "found");
    cop_send(selector, note, .n = 4);
    cop_send(selector, go);
    settle();
}

START_TEST(a_selective_receive_takes_the_first_match_and_leaves_the_rest_in_order)
{
    expect_story(sends_a_mixture, "there are 8\n"
                                  "a letter: found\n"
                                  "from the other: 1\n"
                                  "a note from the other: 2\n"
                                  "then 3\n"
                                  "then 10\n"
                                  "then 11\n"
                                  "then 12\n"
                                  "then 4\n");
}
END_TEST

static void waits_selectively(void *argument)
{
    (void)argument;
    const note *found = cop_receive_type(note, 50);
    trace("%d: %s", (int)cop_now_ms(), found == NULL ? "none" : "found");
    found = cop_receive_type(note, 50);
    trace("%d: %s", (int)cop_now_ms(), found == NULL ? "none" : "found");
    trace("left: %zu", cop_mailbox_length());
}

static void sends_what_does_not_match(void *argument)
{
    (void)argument;
    cop_pid waiter = cop_spawn(waits_selectively, NULL, 0);
    for (int i = 0; i < 6; i++) {
        cop_sleep(10);
        cop_send(waiter, go);        /* wakes it; its time goes on */
    }
    cop_sleep(20);
    cop_send(waiter, note, .n = 1);  /* at 80, in the second wait */
    cop_sleep(100);
}

START_TEST(messages_that_do_not_match_neither_end_the_wait_nor_begin_it_anew)
{
    expect_story(sends_what_does_not_match, "50: none\n"
                                            "80: found\n"
                                            "left: 6\n");
}
END_TEST

static void receives_at_the_last_moment(void *argument)
{
    (void)argument;
    cop_pid self = cop_self();
    cop_send_after(self, 10, note, .n = 1);      /* armed first, so it is there in time */
    trace("%s", cop_receive_type(note, 10) == NULL ? "too late" : "in time");
    trace("at %d", (int)cop_now_ms());
    ck_assert(cop_receive(0) == NULL);
}

START_TEST(a_message_that_comes_with_the_last_moment_is_in_time)
{
    expect_story(receives_at_the_last_moment, "in time\nat 10\n");
}
END_TEST

static void counts_notes(void *argument)
{
    int *count = argument;
    while (cop_receive_type(go, 0) == NULL) {
        ck_assert(cop_receive_type(note, COP_INFINITY) != NULL);
        ++*count;
    }
}

static void floods_a_receiver(void *argument)
{
    (void)argument;
    enum { MANY = 10000 };
    int count = 0;
    cop_pid receiver = cop_spawn(counts_notes, &count, 0);
    for (int i = 0; i < MANY; i++) cop_send(receiver, note, .n = i);
    for (int before = 0; count < MANY; before = count) {
        cop_yield();
        ck_assert_int_gt(count, before);
        ck_assert_int_lt(count - before, MANY / 2);    /* others have a turn in between */
    }
    cop_send(receiver, go);
    cop_send(receiver, note, .n = 0);
    settle();
}

START_TEST(a_process_with_much_mail_lets_others_have_a_turn)
{
    expect_story(floods_a_receiver, "");
}
END_TEST

/* A note in the mailbox that can be taken by its reference, wherever it is. */
struct tagged {
    cop_ref tag;
    int n;
};

static struct tagged send_tagged(int n)
{
    struct tagged tagged = { cop_alias(COP_ALIAS_EXPLICIT), n };
    cop_message *message = cop_new(note, .n = n);
    message->ref = tagged.tag.serial;
    cop_send_message(cop_to(tagged.tag), message);
    return tagged;
}

static void take_tagged(struct tagged tagged)
{
    cop_message *message = cop_take(&(cop_match){ .ref = tagged.tag }, 0);
    expect_that(message != NULL && cop_get(message, note)->n == tagged.n);
    cop_message_free(message);
    cop_unalias(tagged.tag);
}

/* A plain array is the model of the mailbox.  The newest tag's receive starts at a mark behind
 * what was there before; what is before and behind it goes as well. */
static void takes_at_random(void *argument)
{
    (void)argument;
    enum { LIVE = 40, STEPS = 4000 };
    struct tagged model[LIVE];
    int count = 0;
    for (int step = 0; step < STEPS; step++) {
        if (count < LIVE && cop_random_below(2) == 0) {
            model[count++] = send_tagged(step);
        } else if (count > 0) {
            int far = count < 3 || step % 3 == 0 ? count : 3;      /* mostly near the mark */
            int at = count - 1 - (int)cop_random_below((uint64_t)far);
            take_tagged(model[at]);
            memmove(model + at, model + at + 1, (size_t)(--count - at) * sizeof *model);
        }
        expect_that(cop_mailbox_length() == (size_t)count);
    }
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(cop_expect(cop_receive(0), note)->n, model[i].n);
}

START_TEST(the_mailbox_keeps_its_order_with_marks_and_takes_at_random)
{
    for (uint64_t seed = 1; seed <= 20; seed++)
        ck_assert_int_eq(run_node_seeded(takes_at_random, NULL, seed), 0);
}
END_TEST

/* The same with receives by type, each of which goes on where the last one for its type ended. */
COP_MESSAGE(memo, { int n; });
COP_MESSAGE(slip, { int n; });

static const cop_message_type *const types[] = { COP_TYPE(note), COP_TYPE(memo), COP_TYPE(slip) };
enum { TYPES = sizeof types / sizeof *types };

struct mail {
    int type, n;
};

static bool is_odd(const cop_message *message, void *context)
{
    (void)context;
    return *(const int *)cop_payload_const(message) % 2 != 0;
}

/* Which one of the model a receive is to find; count: none.  type TYPES: any. */
static int first_match(const struct mail *model, int count, int type, bool odd)
{
    int at = 0;
    while (at < count &&
           ((type < TYPES && model[at].type != type) || (odd && model[at].n % 2 == 0))) at++;
    return at;
}

static void takes_types_at_random(void *argument)
{
    (void)argument;
    enum { LIVE = 30, STEPS = 6000 };
    struct mail model[LIVE];
    int count = 0;
    for (int step = 0; step < STEPS; step++) {
        int type = (int)cop_random_below(TYPES);
        if (count < LIVE && cop_random_below(2) == 0) {
            model[count++] = (struct mail){ type, step };
            cop_send_message(cop_to(cop_self()), cop_message_new(types[type], &step, 0));
            continue;
        }
        if (cop_random_below(8) == 0) type = TYPES;
        bool odd = cop_random_below(8) == 0;
        int at = first_match(model, count, type, odd);
        cop_message *message = cop_take(&(cop_match){ .type = type == TYPES ? NULL : types[type],
                                                      .accept = odd ? is_odd : NULL }, 0);
        expect_that((message != NULL) == (at < count));
        if (message == NULL) continue;
        expect_that(message->type == types[model[at].type]);
        expect_that(*(const int *)cop_payload(message) == model[at].n);
        cop_message_free(message);
        memmove(model + at, model + at + 1, (size_t)(--count - at) * sizeof *model);
    }
    expect_that(cop_mailbox_length() == (size_t)count);
}

START_TEST(a_receive_by_type_finds_the_first_wherever_the_last_one_ended)
{
    for (uint64_t seed = 1; seed <= 20; seed++)
        ck_assert_int_eq(run_node_seeded(takes_types_at_random, NULL, seed), 0);
}
END_TEST

static Suite *message_suite(void)
{
    Suite *suite = suite_create("message");
    TCase *tests = tcase_create("message");
    tcase_add_test(tests, a_message_has_its_type_its_fields_and_its_sender);
    tcase_add_test(tests, a_message_of_another_type_than_expected_ends_the_process_with_both_names);
    tcase_add_test(tests, extra_bytes_travel_behind_the_struct_and_without_payload_all_is_zero);
    tcase_add_test(tests, a_message_that_cannot_be_made_is_its_makers_end);
    tcase_add_test(tests, what_a_message_owns_is_dropped_once_whatever_becomes_of_it);
    tcase_add_test(tests, messages_die_with_their_process_however_it_ends);
    tcase_add_test(tests, a_drop_function_that_crashes_is_the_end_of_its_process_alone);
    tcase_add_test(tests, a_buffer_is_shared_and_goes_with_its_last_reference);
    tcase_add_test(tests, a_selective_receive_takes_the_first_match_and_leaves_the_rest_in_order);
    tcase_add_test(tests, messages_that_do_not_match_neither_end_the_wait_nor_begin_it_anew);
    tcase_add_test(tests, a_message_that_comes_with_the_last_moment_is_in_time);
    tcase_add_test(tests, a_process_with_much_mail_lets_others_have_a_turn);
    tcase_add_test(tests, the_mailbox_keeps_its_order_with_marks_and_takes_at_random);
    tcase_add_test(tests, a_receive_by_type_finds_the_first_wherever_the_last_one_ended);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(message_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
