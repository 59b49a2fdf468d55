/* test_lookup.c - the table that is read without a lock: texts of every length, growing, and what
 * is used again. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/lookup.h"

enum { MANY = 5000 };

static struct lookup table;

static struct lookup_text text_of(const char *text)
{
    return copi_lookup_text(text, strlen(text));
}

static uint64_t value_of(const char *text)
{
    struct lookup_text wanted = text_of(text);
    uint64_t value = 12345;
    ck_assert(copi_lookup_try(&table, &wanted, &value));
    const struct lookup_node *node = copi_lookup_find(&table, &wanted);
    ck_assert_uint_eq(value, node == NULL ? 0 : node->value);
    return value;
}

static struct lookup_node *insert(const char *text, uint64_t value)
{
    struct lookup_text wanted = text_of(text);
    struct lookup_node *node = copi_lookup_insert(&table, &wanted, value, NULL);
    ck_assert_ptr_nonnull(node);
    ck_assert_str_eq(copi_lookup_text_of(node), text);
    return node;
}

static void give_back(void)
{
    for (struct lookup_node *node; (node = copi_lookup_first(&table)) != NULL;)
        copi_lookup_remove(&table, node);
    copi_lookup_deinit(&table);
}

START_TEST(an_empty_table_has_nothing_and_no_memory)
{
    ck_assert_uint_eq(value_of("nobody"), 0);
    ck_assert_ptr_null(copi_lookup_first(&table));
    copi_lookup_deinit(&table);
}
END_TEST

/* From those with a byte more, or less, or another.  Each is in a block of its own, so that a
 * sanitizer sees a byte that is read outside of it. */
START_TEST(texts_of_every_length_are_told_apart)
{
    for (size_t length = 1; length <= COPI_LOOKUP_TEXT_MAX; length++) {
        char *text = calloc(1, length + 1);
        memset(text, 'x', length);
        insert(text, length);
        free(text);
    }
    for (size_t length = 1; length <= COPI_LOOKUP_TEXT_MAX; length++) {
        char *text = calloc(1, length + 1);
        memset(text, 'x', length);
        ck_assert_uint_eq(value_of(text), length);
        for (size_t i = 0; i < length; i++) {
            text[i] = 'y';
            ck_assert_uint_eq(value_of(text), 0);
            text[i] = 'x';
        }
        free(text);
    }
    ck_assert_uint_eq(table.count, COPI_LOOKUP_TEXT_MAX);
    give_back();
}
END_TEST

START_TEST(many_texts_are_found_while_the_table_grows_and_shrinks)
{
    static struct lookup_node *nodes[MANY];
    char text[24];
    for (int i = 0; i < MANY; i++) {
        snprintf(text, sizeof text, "text %d", i);
        nodes[i] = insert(text, (uint64_t)i + 1);
    }
    for (int i = 0; i < MANY; i += 2) copi_lookup_remove(&table, nodes[i]);
    for (int i = 0; i < MANY; i++) {
        snprintf(text, sizeof text, "text %d", i);
        ck_assert_uint_eq(value_of(text), i % 2 == 0 ? 0 : (uint64_t)i + 1);
    }
    int seen = 0;
    for (const struct lookup_node *node = copi_lookup_first(&table); node != NULL;
         node = copi_lookup_next(&table, node)) {
        ck_assert_ptr_eq(node, nodes[node->value - 1]);
        seen++;
    }
    ck_assert_int_eq(seen, MANY / 2);
    give_back();
}
END_TEST

START_TEST(a_node_is_used_again_for_a_text_of_as_many_words)
{
    struct lookup_node *first = insert("a text of 3 words", 1);
    copi_lookup_remove(&table, first);
    ck_assert_uint_eq(value_of("a text of 3 words"), 0);
    ck_assert_ptr_ne(insert("a shorter one", 2), first);
    ck_assert_ptr_eq(insert("another of 3 words", 3), first);
    ck_assert_uint_eq(value_of("a text of 3 words"), 0);
    ck_assert_uint_eq(value_of("another of 3 words"), 3);
    give_back();
}
END_TEST

START_TEST(who_looks_while_it_is_written_is_told_so)
{
    struct lookup_text wanted = text_of("name");
    uint64_t value;
    insert("name", 7);
    atomic_fetch_add(&table.version, 1);
    ck_assert(!copi_lookup_try(&table, &wanted, &value));
    atomic_fetch_add(&table.version, 1);
    ck_assert_uint_eq(value_of("name"), 7);
    give_back();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lookup");
    TCase *tests = tcase_create("lookup");
    tcase_add_test(tests, an_empty_table_has_nothing_and_no_memory);
    tcase_add_test(tests, texts_of_every_length_are_told_apart);
    tcase_add_test(tests, many_texts_are_found_while_the_table_grows_and_shrinks);
    tcase_add_test(tests, a_node_is_used_again_for_a_text_of_as_many_words);
    tcase_add_test(tests, who_looks_while_it_is_written_is_told_so);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
