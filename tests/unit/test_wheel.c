/* test_wheel.c - the wheel keeps what is due later, says when to look, and forgets nothing. */
#include <check.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/random.h"
#include "base/wheel.h"

enum { MANY = 2000 };

static const int64_t tick = COPI_WHEEL_TICK, longest = INT64_MAX - 1;

struct item {
    struct wheel_node node;
    int64_t deadline;
    uint32_t bucket;
    bool in;                 /* in the wheel; the model */
};

static struct item items[MANY];
static struct wheel wheel;
static struct random chance;

static void set_up(void)
{
    copi_wheel_init(&wheel);
    copi_random_seed(&chance, 1);
    for (int i = 0; i < MANY; i++) items[i].in = false;
}

static void add(struct item *item, int64_t deadline)
{
    item->deadline = deadline;
    item->bucket = copi_wheel_add(&wheel, &item->node, deadline);
    item->in = true;
}

static void take_out(struct item *item)
{
    copi_wheel_remove(&wheel, &item->node, item->bucket);
    item->in = false;
}

static int64_t earliest(void)
{
    int64_t first = COPI_WHEEL_NEVER;
    for (int i = 0; i < MANY; i++)
        if (items[i].in && items[i].deadline < first)
            first = items[i].deadline;
    return first;
}

/* Pours the earliest bucket: what is due within a tick of its beginning leaves, the rest goes to a
 * lower level.  Returns how many left. */
static int pour(void)
{
    uint32_t bucket = copi_wheel_turn(&wheel);
    int left = 0;
    for (struct wheel_node *node; (node = copi_wheel_pop(&wheel, bucket)) != NULL;) {
        struct item *item = (struct item *)node;
        ck_assert(item->in && item->bucket == bucket);
        ck_assert_int_ge(item->deadline, wheel.time);
        item->in = false;
        left++;
        if (item->deadline - wheel.time >= tick) {
            add(item, item->deadline);
            left--;
            ck_assert_uint_lt(item->bucket / COPI_WHEEL_BUCKETS, bucket / COPI_WHEEL_BUCKETS);
        }
    }
    return left;
}

static void expect_invariants(void)
{
    int64_t first = earliest(), hint = wheel.next;
    ck_assert_int_le(hint, first);
    ck_assert_int_le(hint, copi_wheel_next(&wheel));        /* taking out leaves it, or too early */
    ck_assert_int_le(wheel.next, first);
    ck_assert_int_eq(wheel.next == COPI_WHEEL_NEVER, wheel.count == 0);
    ck_assert_int_le(wheel.time, first);
    ck_assert_int_eq(wheel.time % tick, 0);
}

/* From now on: a tick, a border of each level's, anything up to the end of time. */
static int64_t some_deadline(int64_t now)
{
    int64_t left = longest - now, span = (int64_t)1 << copi_random_below(&chance, 63);
    int64_t delay = (int64_t)copi_random_below(&chance, (uint64_t)span);
    if (copi_random_below(&chance, 4) == 0) {
        int64_t border = (now | (span - 1)) - now;
        delay = border + (int64_t)copi_random_below(&chance, 3);
    }
    return now + (delay < left ? delay : left);
}

START_TEST(an_empty_wheel_has_nothing_to_look_at)
{
    ck_assert_int_eq(copi_wheel_next(&wheel), COPI_WHEEL_NEVER);
    add(&items[0], 5 * tick);
    ck_assert_int_eq(wheel.next, 5 * tick);
    take_out(&items[0]);
    ck_assert_int_eq(wheel.next, COPI_WHEEL_NEVER);
    copi_wheel_advance(&wheel, 1000 * tick + 7);
    ck_assert_int_eq(wheel.time, 1000 * tick);
    copi_wheel_advance(&wheel, 3 * tick);                   /* nobody is in it: back again */
    ck_assert_int_eq(wheel.time, 3 * tick);
}
END_TEST

START_TEST(time_does_not_pass_a_bucket_that_has_something)
{
    add(&items[0], 100 * tick + 3);
    int64_t begins = copi_wheel_next(&wheel);
    ck_assert_int_eq(begins, 64 * tick);                    /* of the second level */
    copi_wheel_advance(&wheel, 99 * tick);
    ck_assert_int_eq(wheel.time, begins);
    ck_assert_int_eq(pour(), 0);
    ck_assert_int_eq(copi_wheel_next(&wheel), 100 * tick);
    copi_wheel_advance(&wheel, 99 * tick);
    ck_assert_int_eq(wheel.time, 99 * tick);
    ck_assert_int_eq(pour(), 1);
    ck_assert_uint_eq(wheel.count, 0);
}
END_TEST

/* The wheel stands at the beginning of a wide bucket, and others come in at that very time. */
START_TEST(of_two_buckets_that_begin_at_once_the_wider_is_poured_first)
{
    add(&items[0], 64 * tick + 1);
    copi_wheel_advance(&wheel, 64 * tick);
    ck_assert_int_eq(wheel.time, 64 * tick);
    add(&items[1], 64 * tick);
    ck_assert_uint_gt(items[0].bucket, items[1].bucket);
    ck_assert_uint_eq(copi_wheel_turn(&wheel), items[0].bucket);
    ck_assert_int_eq(pour(), 1);
    ck_assert(items[1].in && !items[0].in);
    ck_assert_int_eq(pour(), 1);
    ck_assert_uint_eq(wheel.count, 0);
}
END_TEST

START_TEST(the_end_of_time_is_a_deadline_like_others)
{
    add(&items[0], longest);
    add(&items[1], longest - tick);
    add(&items[2], (int64_t)1 << 62);
    const int64_t expected[] = { (int64_t)1 << 62, longest - tick, longest };
    int last = 0, pours = 0;
    while (wheel.count > 0) {
        int64_t first = earliest();
        if (pour() > 0)
            ck_assert_int_eq(first, expected[last++]);
        ck_assert_int_lt(pours++, 3 * COPI_WHEEL_LEVELS);
    }
    ck_assert_int_eq(last, 3);
}
END_TEST

/* Arms, cancels and jumps at random, near and far, against a plain table. */
START_TEST(a_random_history_agrees_with_a_plain_table)
{
    int64_t now = 0;
    long left = 0, poured = 0, jumps = 0;
    for (long step = 0; step < 60000; step++) {
        struct item *item = &items[copi_random_below(&chance, step < 30000 ? MANY : 20)];
        if (item->in) {
            take_out(item);
        } else {
            copi_wheel_advance(&wheel, now);
            int64_t deadline = some_deadline(now);
            if (deadline >= wheel.time)
                add(item, deadline);
        }
        if (copi_random_below(&chance, 50) == 0) {
            if (now < longest / 2) {
                now += (int64_t)copi_random_below(
                    &chance, UINT64_C(1) << copi_random_below(&chance, 50));
            } else if (now > INT64_MAX / 4 * 3) {           /* another time, from the beginning */
                now = 0;
                for (int i = 0; i < MANY; i++)
                    if (items[i].in)
                        take_out(&items[i]);
            } else {
                now += (int64_t)copi_random_below(&chance, UINT64_C(1) << 61);
            }
            while (wheel.next <= now && copi_wheel_next(&wheel) <= now) {
                left += pour();
                poured++;
            }
            ck_assert_int_gt(earliest(), now - (now == 0));
            jumps++;
        }
        if (step % 16 == 0)
            expect_invariants();
    }
    ck_assert_int_gt(left, 1000);                           /* it was no idle run */
    ck_assert_int_gt(poured, 1000);
    ck_assert_int_gt(jumps, 1000);
    while (wheel.count > 0) pour();
    ck_assert_int_eq(earliest(), COPI_WHEEL_NEVER);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wheel");
    TCase *tests = tcase_create("wheel");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_test(tests, an_empty_wheel_has_nothing_to_look_at);
    tcase_add_test(tests, time_does_not_pass_a_bucket_that_has_something);
    tcase_add_test(tests, of_two_buckets_that_begin_at_once_the_wider_is_poured_first);
    tcase_add_test(tests, the_end_of_time_is_a_deadline_like_others);
    tcase_add_test(tests, a_random_history_agrees_with_a_plain_table);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
