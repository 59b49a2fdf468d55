/* test_map.c - the hash map for memory that processes share. */
#include <check.h>
#include <stdlib.h>

#include "behaviour/map.h"

struct item {
    struct map_node node;
    int number;
    int visits;
};

enum { ITEMS = 5000 };
static struct item items[ITEMS];

static void insert_all(struct map *map, uint64_t (*key)(int))
{
    for (int i = 0; i < ITEMS; i++) {
        items[i] = (struct item){ .number = i };
        copi_map_insert(map, &items[i].node, key(i));
    }
}

static struct item *find(const struct map *map, uint64_t key, int number)
{
    struct map_node *node = copi_map_find(map, key);
    while (node != NULL && ((struct item *)node)->number != number) node = copi_map_again(node);
    return (struct item *)node;
}

static uint64_t own_key(int i)
{
    return (uint64_t)i << 24;
}

static uint64_t shared_key(int i)
{
    return (uint64_t)i % 10;
}

START_TEST(an_empty_map_has_no_nodes_and_no_memory)
{
    struct map map = { 0 };
    ck_assert_ptr_null(copi_map_find(&map, 0));
    ck_assert_ptr_null(copi_map_first(&map));
    struct item stranger = { .number = 1 };
    copi_map_remove(&map, &stranger.node);
    ck_assert_uint_eq(map.count, 0);
    ck_assert_ptr_null(map.chains);
}
END_TEST

static void expect_all(uint64_t (*key)(int))
{
    struct map map = { 0 };
    insert_all(&map, key);
    ck_assert_uint_eq(map.count, ITEMS);
    for (int i = 0; i < ITEMS; i++) ck_assert_ptr_eq(find(&map, key(i), i), &items[i]);
    for (int i = 0; i < ITEMS; i += 2) copi_map_remove(&map, &items[i].node);
    for (int i = 0; i < ITEMS; i++) {
        struct item *expected = i % 2 == 0 ? NULL : &items[i];
        ck_assert_ptr_eq(find(&map, key(i), i), expected);
    }
    for (int i = 1; i < ITEMS; i += 2) copi_map_remove(&map, &items[i].node);
    ck_assert_uint_eq(map.count, 0);
    ck_assert_ptr_null(map.chains);
}

START_TEST(what_was_put_in_is_found_until_it_is_taken_out_also_among_equal_keys)
{
    expect_all(own_key);
    expect_all(shared_key);
}
END_TEST

START_TEST(a_walk_sees_every_node_once_and_may_take_them_out)
{
    for (int count = 0; count < 100; count++) {
        struct map map = { 0 };
        for (int i = 0; i < count; i++) {
            items[i] = (struct item){ .number = i };
            copi_map_insert(&map, &items[i].node, own_key(i / 2));
        }
        struct map_node *node = copi_map_first(&map);
        while (node != NULL) {
            struct map_node *next = copi_map_next(&map, node);
            ((struct item *)node)->visits++;
            copi_map_remove(&map, node);
            node = next;
        }
        for (int i = 0; i < count; i++) ck_assert_int_eq(items[i].visits, 1);
        ck_assert_uint_eq(map.count, 0);
    }
}
END_TEST

START_TEST(chains_stay_short_for_keys_that_differ_in_their_high_bits_only)
{
    struct map map = { 0 };
    insert_all(&map, own_key);
    size_t longest = 0;
    for (size_t i = 0; i < (size_t)1 << map.bits; i++) {
        size_t length = 0;
        for (struct map_node *node = map.chains[i]; node != NULL; node = node->next) length++;
        if (length > longest) longest = length;
    }
    ck_assert_uint_le(longest, 10);
    for (int i = 0; i < ITEMS; i++) copi_map_remove(&map, &items[i].node);
}
END_TEST

static Suite *map_suite(void)
{
    Suite *suite = suite_create("map");
    TCase *tests = tcase_create("map");
    tcase_add_test(tests, an_empty_map_has_no_nodes_and_no_memory);
    tcase_add_test(tests, what_was_put_in_is_found_until_it_is_taken_out_also_among_equal_keys);
    tcase_add_test(tests, a_walk_sees_every_node_once_and_may_take_them_out);
    tcase_add_test(tests, chains_stay_short_for_keys_that_differ_in_their_high_bits_only);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(map_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
