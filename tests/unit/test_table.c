/* test_table.c - the table of children: found by key, taken out, walked over. */
#include <coppice/coppice.h>

#include <check.h>
#include <stdlib.h>

#include "behaviour/table.h"
#include "node.h"

enum { NODES = 1000 };

struct record {
    struct table_node node;
    bool in;
};

static struct record records[NODES];

/* Three in four have a key of their own, the others share a few. */
static uint64_t key_of(size_t i)
{
    return i % 4 == 0 ? i % 32 : 1000 + i;
}

/* Every node that is in is found under its key, and the walk meets each once and no other. */
static void expect_all(const struct table *table)
{
    size_t in = 0, met = 0;
    for (size_t i = 0; i < NODES; i++) {
        const struct table_node *node = copi_table_find(table, key_of(i));
        while (node != NULL && node != &records[i].node) node = copi_table_again(node);
        ck_assert_int_eq(node != NULL, records[i].in);
        if (records[i].in) in++;
    }
    for (struct table_node *node = copi_table_first(table); node != NULL;
         node = copi_table_next(table, node)) {
        ck_assert(((struct record *)node)->in);
        met++;
    }
    ck_assert_uint_eq(met, in);
    ck_assert_uint_eq(table->count, in);
}

static void put(struct table *table, size_t i)
{
    copi_table_insert(table, &records[i].node, key_of(i));
    records[i].in = true;
}

static void take(struct table *table, size_t i)
{
    copi_table_remove(table, &records[i].node);
    records[i].in = false;
}

static void fills_and_empties(void *argument)
{
    (void)argument;
    struct table table = { 0 };
    expect_all(&table);
    for (size_t i = 0; i < NODES; i++) {
        put(&table, i);
        if (i < 40 || i % 100 == 0) expect_all(&table);
    }
    for (size_t i = 0; i < NODES; i += 3) take(&table, i);
    expect_all(&table);
    for (size_t i = 0; i < NODES; i += 6) put(&table, i);
    expect_all(&table);

    struct table_node *next;
    for (struct table_node *node = copi_table_first(&table); node != NULL; node = next) {
        next = copi_table_next(&table, node);
        take(&table, (size_t)((struct record *)node - records));
    }
    expect_all(&table);
    ck_assert_uint_eq(cop_memory_used(), 0);
}

START_TEST(what_is_put_in_is_found_until_it_is_taken_out_and_an_empty_table_has_no_memory)
{
    ck_assert_int_eq(run_node(fills_and_empties, NULL), 0);
}
END_TEST

START_TEST(names_have_different_keys)
{
    ck_assert_uint_ne(copi_table_hash("a"), copi_table_hash("b"));
    ck_assert_uint_ne(copi_table_hash("ab"), copi_table_hash("ba"));
    ck_assert_uint_ne(copi_table_hash(""), copi_table_hash("a"));
    ck_assert_uint_eq(copi_table_hash("child"), copi_table_hash("child"));
}
END_TEST

/* ---- the suite --------------------------------------------------------------------- */

static Suite *table_suite(void)
{
    Suite *suite = suite_create("table");
    TCase *tests = tcase_create("table");
    tcase_add_test(tests,
                   what_is_put_in_is_found_until_it_is_taken_out_and_an_empty_table_has_no_memory);
    tcase_add_test(tests, names_have_different_keys);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(table_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
