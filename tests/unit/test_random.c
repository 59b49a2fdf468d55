/* test_random.c - the generator gives the published numbers, evenly. */
#include <check.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/random.h"

/* The first outputs of xoshiro256** from state {1, 2, 3, 4}, as Rust's rand_xoshiro tests them
 * against the authors' C code. */
START_TEST(state_1_2_3_4_gives_the_reference_numbers)
{
    static const uint64_t expected[] = {
        UINT64_C(11520), UINT64_C(0), UINT64_C(1509978240), UINT64_C(1215971899390074240),
        UINT64_C(1216172134540287360), UINT64_C(607988272756665600),
        UINT64_C(16172922978634559625), UINT64_C(8476171486693032832),
        UINT64_C(10595114339597558777), UINT64_C(2904607092377533576)
    };
    struct random random = { { 1, 2, 3, 4 } };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        ck_assert_uint_eq(copi_random_next(&random), expected[i]);
}
END_TEST

/* splitmix64 from 1234567, as Rosetta Code lists it. */
START_TEST(seed_1234567_fills_the_state_with_splitmix64)
{
    struct random random;
    copi_random_seed(&random, 1234567);
    ck_assert_uint_eq(random.s[0], UINT64_C(6457827717110365317));
    ck_assert_uint_eq(random.s[1], UINT64_C(3203168211198807973));
    ck_assert_uint_eq(random.s[2], UINT64_C(9817491932198370423));
    ck_assert_uint_eq(random.s[3], UINT64_C(4593380528125082431));
}
END_TEST

START_TEST(one_seed_gives_one_sequence_and_another_seed_another)
{
    struct random first, same, other;
    copi_random_seed(&first, 0);
    copi_random_seed(&same, 0);
    copi_random_seed(&other, 1);
    int equal = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t number = copi_random_next(&first);
        ck_assert_uint_eq(number, copi_random_next(&same));
        equal += number == copi_random_next(&other);
    }
    ck_assert_int_eq(equal, 0);
}
END_TEST

START_TEST(numbers_below_a_bound_are_below_it_and_evenly_spread)
{
    enum { SIDES = 6, DRAWS = 60000 };
    struct random random;
    copi_random_seed(&random, 7);
    int count[SIDES] = { 0 };
    for (int i = 0; i < DRAWS; i++) {
        uint64_t side = copi_random_below(&random, SIDES);
        ck_assert_uint_lt(side, SIDES);
        count[side]++;
    }
    for (int i = 0; i < SIDES; i++)        /* 10,000 expected, deviation 91: six of them */
        ck_assert_int_le(abs(count[i] - DRAWS / SIDES), 550);
    for (int i = 0; i < 100; i++)
        ck_assert_uint_eq(copi_random_below(&random, 1), 0);
}
END_TEST

/* With n = 3/4 of 2^64 the plain product would make every third result twice as likely: without
 * the second draw its remainder modulo 3 is 0, 1, 2 in 1/2, 1/4, 1/4 of the draws. */
START_TEST(a_bound_near_the_word_size_is_without_bias)
{
    enum { DRAWS = 30000 };
    uint64_t n = UINT64_C(3) << 62;
    struct random random;
    copi_random_seed(&random, 8);
    int count[3] = { 0 };
    for (int i = 0; i < DRAWS; i++) {
        uint64_t number = copi_random_below(&random, n);
        ck_assert(number < n);
        count[number % 3]++;
    }
    for (int i = 0; i < 3; i++)
        ck_assert_int_le(abs(count[i] - DRAWS / 3), 500);
}
END_TEST

START_TEST(units_are_in_0_to_1_and_their_mean_is_a_half)
{
    enum { DRAWS = 100000 };
    struct random random;
    copi_random_seed(&random, 9);
    double sum = 0, least = 1, most = 0;
    for (int i = 0; i < DRAWS; i++) {
        double unit = copi_random_unit(&random);
        ck_assert(unit >= 0.0 && unit < 1.0);
        sum += unit;
        least = unit < least ? unit : least;
        most = unit > most ? unit : most;
    }
    ck_assert_double_eq_tol(sum / DRAWS, 0.5, 0.01);
    ck_assert(least < 0.001 && most > 0.999);
}
END_TEST

START_TEST(the_largest_unit_is_below_1)
{
    struct random random = { { 0, 0, 0, 0 } };
    /* An s[1] whose scrambled output is all ones: 2^64 - 1 = rotate(s[1] * 5, 7) * 9. */
    uint64_t ninth = UINT64_C(10248191152060862009);       /* the inverse of 9 modulo 2^64 */
    uint64_t fifth = UINT64_C(14757395258967641293);       /* of 5 */
    uint64_t rotated = UINT64_MAX * ninth;
    random.s[1] = ((rotated >> 7) | (rotated << 57)) * fifth;
    struct random copy = random;
    ck_assert_uint_eq(copi_random_next(&copy), UINT64_MAX);
    ck_assert(copi_random_unit(&random) < 1.0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("random");
    TCase *tests = tcase_create("random");
    tcase_add_test(tests, state_1_2_3_4_gives_the_reference_numbers);
    tcase_add_test(tests, seed_1234567_fills_the_state_with_splitmix64);
    tcase_add_test(tests, one_seed_gives_one_sequence_and_another_seed_another);
    tcase_add_test(tests, numbers_below_a_bound_are_below_it_and_evenly_spread);
    tcase_add_test(tests, a_bound_near_the_word_size_is_without_bias);
    tcase_add_test(tests, units_are_in_0_to_1_and_their_mean_is_a_half);
    tcase_add_test(tests, the_largest_unit_is_below_1);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
