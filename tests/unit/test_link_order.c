/* test_link_order.c - links hear in OTP's order, whatever was linked and unlinked before. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/link_order.h"

/* Recorded on OTP 25: a process is linked to its parent, 0, starts children (+N), loses some (-N)
 * and is killed; then who heard first. */
static const struct history {
    const char *text, *heard;
} histories[] = {
    { "", "0" },
    { "+1", "1 0" },
    { "+1 +2", "0 2 1" },
    { "+1 +2 +3", "0 3 2 1" },
    { "+1 +2 +3 +4", "0 2 4 3 1" },
    { "+1 +2 +3 +4 +5", "0 2 5 4 3 1" },
    { "+1 +2 +3 +4 +5 +6", "0 2 4 6 5 3 1" },
    { "+1 +2 +3 +4 +5 +6 +7", "0 2 1 4 7 6 5 3" },
    { "+1 +2 +3 +4 +5 +6 +7 +8 +9 +10 +11 +12", "0 2 1 4 6 5 8 10 12 11 9 7 3" },
    { "+1 +2 -2 +3", "0 3 1" },
    { "+1 +2 -1 -2 +3 -3 +4 +5 +6 +7 -4 +8 +9 -7 +10 -6 -9 +11 +12 -5 -10 +13 -8 +14",
      "0 12 14 13 11" },
    { "+1 -1 +2 +3 +4 +5 -5 -2 -4 -3 +6 +7 -6 +8 +9 +10 -10 +11 -8", "0 11 9 7" },
    { "+1 +2 +3 +4 -2 -1 +5 -4 +6 +7 +8 +9 -9 -7 -8 +10 -6 +11 +12 +13 +14 -12 +15 +16",
      "0 5 3 11 14 16 15 13 10" },
    { "+1 +2 +3 +4 +5 +6 +7 +8 +9 -8 -5 +10 +11 +12 +13 +14 +15 +16 -4 -13 -1 +17 -3",
      "0 2 7 10 9 6 12 15 17 16 14 11" },
    { "+1 +2 +3 +4 +5 -5 +6 +7 -2 +8 -8 +9 +10 +11 -4 +12 +13 +14 -7 +15 +16 -1 +17 +18 -11 "
      "+19 -12 +20 -9", "0 3 10 6 14 16 18 20 19 17 15 13" },
    { "+1 +2 +3 +4 +5 +6 +7 +8 -5 +9 +10 -4 +11 +12 +13 +14 -11 +15 +16 -7 -8 +17 -6 -9 +18 +19 "
      "+20", "0 2 1 12 10 14 13 16 18 20 19 17 15 3" },
};

static const cop_pid owner = { 7 };

static void note(cop_pid peer, void *context)
{
    char *heard = context;
    size_t length = strlen(heard);
    snprintf(heard + length, 256 - length, length > 0 ? " %d" : "%d", (int)peer.bits - 1);
}

START_TEST(links_hear_in_the_order_recorded_from_otp)
{
    const struct history *history = &histories[_i];
    uint64_t age[32] = { 0 };
    char text[256], heard[256] = "", *rest = NULL;
    snprintf(text, sizeof text, "%s", history->text);
    copi_link_order_add(owner, (cop_pid){ 1 });
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        uint64_t number = strtoul(word + 1, NULL, 10);
        if (*word == '+')
            age[number] = copi_link_order_add(owner, (cop_pid){ number + 1 });
        else
            copi_link_order_remove(owner, age[number]);
    }
    copi_link_order_tell(owner, note, heard);
    ck_assert_str_eq(heard, history->heard);
}
END_TEST

START_TEST(nobody_hears_of_links_that_were_taken_out_or_told)
{
    char heard[256] = "";
    uint64_t age[101];
    for (uint64_t number = 1; number <= 100; number++)
        age[number] = copi_link_order_add(owner, (cop_pid){ number });
    for (uint64_t number = 1; number <= 100; number++)
        copi_link_order_remove(owner, age[number * 37 % 101]);
    copi_link_order_tell(owner, note, heard);
    ck_assert_str_eq(heard, "");
    copi_link_order_add(owner, (cop_pid){ 2 });
    copi_link_order_tell(owner, note, heard);
    copi_link_order_tell(owner, note, heard);
    ck_assert_str_eq(heard, "1");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("link_order");
    TCase *cases = tcase_create("link_order");
    tcase_add_loop_test(cases, links_hear_in_the_order_recorded_from_otp, 0,
                        (int)(sizeof histories / sizeof *histories));
    tcase_add_test(cases, nobody_hears_of_links_that_were_taken_out_or_told);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed;
}
