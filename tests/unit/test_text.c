/* test_text.c - text is counted beyond its buffer, and as JSON it is valid whatever it is. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

START_TEST(all_is_counted_and_what_fits_is_written)
{
    char buffer[8];
    struct text text = copi_text(buffer, sizeof buffer);
    ck_assert_str_eq(buffer, "");
    copi_text_add(&text, "%s", "12345");
    copi_text_add(&text, "%d", 678901);
    copi_text_add(&text, "more");
    ck_assert_int_eq(text.length, 15);
    ck_assert_str_eq(buffer, "1234567");
    text = copi_text(NULL, 0);
    copi_text_add(&text, "12345");
    ck_assert_int_eq(text.length, 5);
}
END_TEST

static const struct { const char *string, *json; } strings[] = {
    { NULL, "null" },
    { "", "\"\"" },
    { "plain", "\"plain\"" },
    { "a\"b\\c/d", "\"a\\\"b\\\\c/d\"" },
    { "\n\t\r\x01\x1f\x7f", "\"\\n\\t\\r\\u0001\\u001f\\u007f\"" },
    { "gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\"" },
    { "\xe2\x82\xac \xf0\x9f\x8c\xb3 \xf4\x8f\xbf\xbf",
      "\"\xe2\x82\xac \xf0\x9f\x8c\xb3 \xf4\x8f\xbf\xbf\"" },
    { "\xff", "\"\\ufffd\"" },
    { "a\xc3", "\"a\\ufffd\"" },                                 /* the end is missing */
    { "\xe2\x82z", "\"\\ufffd\\ufffdz\"" },
    { "\xc0\xaf", "\"\\ufffd\\ufffd\"" },                        /* overlong */
    { "\xe0\x80\xaf", "\"\\ufffd\\ufffd\\ufffd\"" },
    { "\xf0\x80\x80\xaf", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
    { "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"" },             /* a surrogate */
    { "\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },  /* above U+10FFFF */
    { "\x80x", "\"\\ufffdx\"" },
};

START_TEST(json_escapes_what_must_be_and_replaces_what_is_not_utf8)
{
    char buffer[100];
    struct text text = copi_text(buffer, sizeof buffer);
    copi_text_add_json(&text, strings[_i].string);
    ck_assert_str_eq(buffer, strings[_i].json);
    ck_assert_uint_eq((size_t)text.length, strlen(strings[_i].json));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("text");
    TCase *tests = tcase_create("text");
    tcase_add_test(tests, all_is_counted_and_what_fits_is_written);
    tcase_add_loop_test(tests, json_escapes_what_must_be_and_replaces_what_is_not_utf8, 0,
                        sizeof strings / sizeof *strings);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
