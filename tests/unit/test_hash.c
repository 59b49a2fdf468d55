/* test_hash.c - the table finds what is in it, keeps order among equals, and gives memory back. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/hash.h"
#include "base/random.h"

enum { MANY = 5000 };

struct item {
    struct hash_node node;
    bool in;
    int seen;
};

static struct item items[MANY];

static struct item *item_of(struct hash_node *node)
{
    return (struct item *)node;
}

static void expect_empty(const struct hash *hash)
{
    static const struct hash empty;
    ck_assert_mem_eq(hash, &empty, sizeof empty);
}

START_TEST(an_empty_table_has_nothing_and_no_memory)
{
    struct hash hash = { .count = 0 };
    ck_assert_ptr_null(copi_hash_find(&hash, 0));
    ck_assert_ptr_null(copi_hash_find(&hash, UINT64_MAX));
    ck_assert_ptr_null(copi_hash_pop(&hash));
    expect_empty(&hash);
}
END_TEST

START_TEST(a_short_list_needs_no_memory_and_one_node_more_does)
{
    struct hash hash = { .count = 0 };
    for (int i = 0; i < COPI_HASH_LIST; i++) {
        copi_hash_insert(&hash, &items[i].node, (uint64_t)i);
        ck_assert_uint_eq(hash.bits, 0);
    }
    copi_hash_insert(&hash, &items[COPI_HASH_LIST].node, COPI_HASH_LIST);
    ck_assert_uint_gt(hash.bits, 0);
    for (int i = 0; i <= COPI_HASH_LIST; i++)
        ck_assert_ptr_eq(copi_hash_find(&hash, (uint64_t)i), &items[i].node);
    for (int i = 0; i <= COPI_HASH_LIST; i++)
        copi_hash_remove(&hash, &items[i].node);
    expect_empty(&hash);
}
END_TEST

/* Three come before the table has grown and three after. */
START_TEST(nodes_with_one_key_are_found_newest_first_also_after_growing)
{
    struct hash hash = { .count = 0 };
    for (int i = 0; i < 3; i++)
        copi_hash_insert(&hash, &items[i].node, 42);
    for (int i = 3; i < 1000; i++)
        copi_hash_insert(&hash, &items[i].node, 1000 + (uint64_t)i);
    for (int i = 1000; i < 1003; i++)
        copi_hash_insert(&hash, &items[i].node, 42);
    for (int i = 1003; i < MANY; i++)
        copi_hash_insert(&hash, &items[i].node, 1000 + (uint64_t)i);

    static const int expected[] = { 1002, 1001, 1000, 2, 1, 0 };
    struct hash_node *node = copi_hash_find(&hash, 42);
    for (int i = 0; i < 6; i++) {
        ck_assert_ptr_eq(node, &items[expected[i]].node);
        node = copi_hash_again(node);
    }
    ck_assert_ptr_null(node);

    struct hash_node **where = copi_hash_where(&hash, 42);
    where = copi_hash_where_after(&(*where)->next, 42);
    ck_assert_ptr_eq(*where, &items[1001].node);
    copi_hash_unlink(&hash, where);
    node = copi_hash_find(&hash, 42);
    ck_assert_ptr_eq(node, &items[1002].node);
    ck_assert_ptr_eq(copi_hash_again(node), &items[1000].node);
    while (copi_hash_pop(&hash))
        ;
    expect_empty(&hash);
}
END_TEST

START_TEST(a_drained_table_is_empty_and_gives_all_its_nodes_a_list_the_oldest_first)
{
    struct hash hash = { .count = 0 };
    ck_assert_ptr_null(copi_hash_drain(&hash));
    for (int i = 0; i < COPI_HASH_LIST; i++)
        copi_hash_insert(&hash, &items[i].node, (uint64_t)i);
    struct hash_node *node = copi_hash_drain(&hash);
    for (int i = 0; i < COPI_HASH_LIST; i++, node = node->next)
        ck_assert_ptr_eq(node, &items[i].node);
    ck_assert_ptr_null(node);
    expect_empty(&hash);

    for (int i = 0; i < MANY; i++)
        copi_hash_insert(&hash, &items[i].node, (uint64_t)i);
    int count = 0;
    for (node = copi_hash_drain(&hash); node != NULL; node = node->next) count++;
    ck_assert_int_eq(count, MANY);
    expect_empty(&hash);
}
END_TEST

/* Ids, ids with a stride, and what is in the high half of a word: the longest chain of n nodes
 * in at least n chains would be about 6 if they were random. */
START_TEST(keys_that_resemble_each_other_are_spread)
{
    static const unsigned shifts[] = { 0, 1, 4, 8, 12, 13, 24, 32, 40, 48 };
    for (size_t s = 0; s < sizeof shifts / sizeof *shifts; s++) {
        struct hash hash = { .count = 0 };
        for (int i = 0; i < MANY; i++)
            copi_hash_insert(&hash, &items[i].node, (uint64_t)i << shifts[s]);
        ck_assert_uint_ge((size_t)1 << hash.bits, MANY);
        size_t longest = 0;
        for (size_t i = 0; i < (size_t)1 << hash.bits; i++) {
            size_t length = 0;
            for (struct hash_node *node = hash.buckets[i]; node; node = node->next)
                length++;
            longest = length > longest ? length : longest;
        }
        ck_assert_uint_le(longest, 8);
        while (copi_hash_pop(&hash))
            ;
    }
}
END_TEST

/* Serials count up, and a block of them fills the table once. */
START_TEST(keys_that_count_up_have_a_chain_each)
{
    for (uint64_t first = 0; first < UINT64_C(1) << 60; first = first * 16 + 15) {
        struct hash hash = { .count = 0 };
        uint64_t begin = first / 8192 * 8192;
        for (int i = 0; i < MANY; i++)
            copi_hash_insert(&hash, &items[i].node, begin + (uint64_t)i);
        for (size_t i = 0; i < (size_t)1 << hash.bits; i++)
            ck_assert(hash.buckets[i] == NULL || hash.buckets[i]->next == NULL);
        while (copi_hash_pop(&hash))
            ;
    }
}
END_TEST

START_TEST(a_random_history_agrees_with_a_plain_set)
{
    struct hash hash = { .count = 0 };
    struct random random;
    copi_random_seed(&random, 1);
    uint32_t count = 0;
    for (int step = 0; step < 100000; step++) {
        struct item *item = &items[copi_random_below(&random, step < 50000 ? 2000 : 30)];
        uint64_t key = (uint64_t)(item - items) * UINT64_C(0x100000001);
        struct hash_node *found = copi_hash_find(&hash, key);
        ck_assert_ptr_eq(found, item->in ? &item->node : NULL);
        ck_assert_ptr_eq(*copi_hash_where(&hash, key), found);
        if (copi_random_below(&random, 50) == 0 && count > 0) {
            struct item *popped = item_of(copi_hash_pop(&hash));
            ck_assert(popped->in);
            popped->in = false;
            count--;
        } else if (item->in) {
            if (copi_random_below(&random, 2) == 0)
                copi_hash_remove(&hash, &item->node);
            else
                copi_hash_unlink(&hash, copi_hash_where(&hash, key));
            item->in = false;
            count--;
        } else {
            copi_hash_insert(&hash, &item->node, key);
            item->in = true;
            count++;
        }
        ck_assert_uint_eq(hash.count, count);
    }
    for (; count > 0; count--)
        ck_assert(item_of(copi_hash_pop(&hash))->in);
    expect_empty(&hash);
}
END_TEST

static void count_visit(struct hash_node *node, void *context)
{
    item_of(node)->seen++;
    ++*(int *)context;
}

START_TEST(each_visits_every_node_once_in_a_list_and_in_a_table)
{
    static const int sizes[] = { 0, 1, 8, 9, 17, MANY };
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct hash hash = { .count = 0 };
        memset(items, 0, sizeof items);
        for (int i = 0; i < sizes[s]; i++)
            copi_hash_insert(&hash, &items[i].node, (uint64_t)i * 7);
        int visits = 0;
        copi_hash_each(&hash, count_visit, &visits);
        ck_assert_int_eq(visits, sizes[s]);
        for (int i = 0; i < sizes[s]; i++)
            ck_assert_int_eq(items[i].seen, 1);
        while (copi_hash_pop(&hash))
            ;
    }
}
END_TEST

/* One walk over the chains for all of it: with a walk for each node this would take minutes. */
START_TEST(draining_a_large_table_pops_every_node_once)
{
    enum { COUNT = 300000 };
    struct item *all = calloc(COUNT, sizeof *all);
    struct hash hash = { .count = 0 };
    for (int i = 0; i < COUNT; i++)
        copi_hash_insert(&hash, &all[i].node, (uint64_t)i);
    struct hash_node *node;
    int count = 0;
    while ((node = copi_hash_pop(&hash))) {
        ck_assert_int_eq(item_of(node)->seen++, 0);
        count++;
        if (count == COUNT / 2) {           /* what comes in on the way is drained too */
            item_of(node)->seen = 0;
            copi_hash_insert(&hash, node, 0);
        }
    }
    ck_assert_int_eq(count, COUNT + 1);
    expect_empty(&hash);
    free(all);
}
END_TEST

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define CAN_LIMIT_MEMORY 1
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#undef CAN_LIMIT_MEMORY
#endif
#endif
#endif

#ifdef CAN_LIMIT_MEMORY
START_TEST(without_memory_the_chains_are_longer_and_nothing_is_lost)
{
    enum { COUNT = 200000 };
    struct item *all = calloc(COUNT, sizeof *all);
    ck_assert_ptr_nonnull(all);
    struct rlimit none = { 0, 0 };
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &none), 0);
    struct hash hash = { .count = 0 };
    for (int i = 0; i < COUNT; i++)
        copi_hash_insert(&hash, &all[i].node, (uint64_t)i);
    ck_assert_uint_eq(hash.count, COUNT);
    ck_assert_msg((size_t)1 << hash.bits < COUNT, "the table grew: nothing was tested");
    for (int i = 0; i < COUNT; i += 100)
        ck_assert_ptr_eq(copi_hash_find(&hash, (uint64_t)i), &all[i].node);
    for (int i = 0; i < COUNT; i++)
        ck_assert_ptr_nonnull(copi_hash_pop(&hash));
    expect_empty(&hash);
}
END_TEST
#endif

START_TEST(removing_a_node_that_is_not_in_ends_the_node)
{
    struct hash hash = { .count = 0 };
    copi_hash_insert(&hash, &items[0].node, 1);
    items[1].node.key = 1;
    copi_hash_remove(&hash, &items[1].node);
}
END_TEST

START_TEST(bytes_are_hashed_by_content_and_length)
{
    ck_assert_uint_eq(copi_hash_bytes("ledger", 6), copi_hash_bytes("ledger, a copy", 6));
    ck_assert_uint_ne(copi_hash_bytes("ledger", 6), copi_hash_bytes("ledges", 6));
    static const char zeroes[40];
    for (size_t i = 0; i < 40; i++)
        for (size_t j = i + 1; j < 40; j++)
            ck_assert_uint_ne(copi_hash_bytes(zeroes, i), copi_hash_bytes(zeroes, j));
}
END_TEST

/* Of 64 bits none are equal by chance. */
START_TEST(names_that_count_up_get_different_hashes)
{
    struct hash hash = { .count = 0 };
    for (int i = 0; i < MANY; i++) {
        char name[32];
        int size = snprintf(name, sizeof name, "payment_worker_%d", i);
        uint64_t key = copi_hash_bytes(name, (size_t)size);
        ck_assert_ptr_null(copi_hash_find(&hash, key));
        copi_hash_insert(&hash, &items[i].node, key);
    }
    while (copi_hash_pop(&hash))
        ;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hash");
    TCase *tests = tcase_create("hash");
    tcase_add_test(tests, an_empty_table_has_nothing_and_no_memory);
    tcase_add_test(tests, a_short_list_needs_no_memory_and_one_node_more_does);
    tcase_add_test(tests, nodes_with_one_key_are_found_newest_first_also_after_growing);
    tcase_add_test(tests,
                   a_drained_table_is_empty_and_gives_all_its_nodes_a_list_the_oldest_first);
    tcase_add_test(tests, keys_that_resemble_each_other_are_spread);
    tcase_add_test(tests, keys_that_count_up_have_a_chain_each);
    tcase_add_test(tests, a_random_history_agrees_with_a_plain_set);
    tcase_add_test(tests, each_visits_every_node_once_in_a_list_and_in_a_table);
    tcase_add_test(tests, draining_a_large_table_pops_every_node_once);
#ifdef CAN_LIMIT_MEMORY
    tcase_add_test(tests, without_memory_the_chains_are_longer_and_nothing_is_lost);
#endif
    tcase_add_test_raise_signal(tests, removing_a_node_that_is_not_in_ends_the_node, SIGABRT);
    tcase_add_test(tests, bytes_are_hashed_by_content_and_length);
    tcase_add_test(tests, names_that_count_up_get_different_hashes);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
