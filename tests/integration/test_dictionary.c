/* test_dictionary.c - what a process keeps of itself: its dictionary, ancestors, callers, group. */
#include <coppice/coppice.h>

#include <stdio.h>
#include <string.h>

#include "node.h"
#include "trace.h"
#include "watch.h"

static void expect_trace(cop_function *story, const char *expected)
{
    trace_reset();
    ck_assert_int_eq(run_node(story, NULL), 0);
    trace_expect(expected);
}

static void wait_for_ever(void *argument)
{
    (void)argument;
    cop_sleep(COP_INFINITY);
}

/* ---- the dictionary ------------------------------------------------------------------ */

static void trace_key(const char *key)
{
    cop_value value = cop_number(-1);
    if (cop_dictionary_get(key, &value)) trace("%s is %d", key, (int)value.number);
    else trace("%s is not there, %d", key, (int)value.number);
}

static void story_of_keys(void *argument)
{
    (void)argument;
    trace_key("a");
    trace("put: %d", (int)cop_dictionary_put("a", cop_number(1)).number);
    trace_key("a");
    trace("put: %d", (int)cop_dictionary_put("a", cop_number(2)).number);
    trace("put: %d", (int)cop_dictionary_put("", cop_number(0)).number);
    trace_key("a");
    trace_key("");
    trace_key("A");
    cop_value old = cop_number(-1);
    trace("erase: %d", cop_dictionary_erase("b", &old));
    trace("erase: %d", cop_dictionary_erase("a", &old));
    trace("it was %d", (int)old.number);
    trace("erase: %d", cop_dictionary_erase("", NULL));
    trace_key("a");
    int here;
    cop_dictionary_put("a", cop_pointer(&here));
    ck_assert(cop_dictionary_get("a", &old));
    ck_assert_ptr_eq(old.pointer, &here);
}

START_TEST(a_key_has_the_value_that_was_put_last_until_it_is_erased)
{
    expect_trace(story_of_keys, "a is not there, -1\n"
                                "put: 0\n" "a is 1\n" "put: 1\n" "put: 0\n"
                                "a is 2\n" " is 0\n" "A is not there, -1\n"
                                "erase: 0\n" "erase: 1\n" "it was 2\n" "erase: 1\n"
                                "a is not there, -1\n");
}
END_TEST

enum { MANY = 1000 };

static void sum_up(const char *key, cop_value value, void *context)
{
    int number = -1;
    ck_assert_int_eq(sscanf(key, "key %d", &number), 1);
    ck_assert_int_eq(value.number, number);
    *(int64_t *)context += number;
}

static void story_of_many_keys(void *argument)
{
    (void)argument;
    char key[32];
    size_t empty = cop_memory_used();
    int64_t sum = 0;
    ck_assert_uint_eq(cop_dictionary_each(sum_up, &sum), 0);
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "key %d", i);
        cop_dictionary_put(key, cop_number(i));
    }
    memset(key, 0, sizeof key);                       /* keys are copied */
    ck_assert_uint_eq(cop_dictionary_each(sum_up, &sum), MANY);
    ck_assert_int_eq(sum, MANY * (MANY - 1) / 2);
    for (int i = 0; i < MANY; i++) {
        cop_value old;
        snprintf(key, sizeof key, "key %d", i);
        ck_assert(cop_dictionary_erase(key, &old));
        ck_assert_int_eq(old.number, i);
    }
    ck_assert_uint_eq(cop_dictionary_each(sum_up, &sum), 0);
    ck_assert_uint_le(cop_memory_used(), empty + 64);
    for (int i = 0; i < MANY; i++) {                  /* and ends with them all there */
        snprintf(key, sizeof key, "key %d", i);
        cop_dictionary_put(key, cop_number(i));
    }
    trace("done");
}

START_TEST(a_thousand_keys_are_found_listed_and_erased_and_leave_no_memory_behind)
{
    expect_trace(story_of_many_keys, "done\n");
}
END_TEST

static void look_for(void *key)
{
    trace_key(key);
    cop_dictionary_put(key, cop_number(2));
}

static void deferred_look(void *key)
{
    trace_key(key);
}

static void end_with_deferred(void *argument)
{
    (void)argument;
    cop_dictionary_put("mine", cop_number(7));
    cop_defer(deferred_look, "mine");
    cop_raise("crash");
}

static void story_of_own_dictionaries(void *argument)
{
    (void)argument;
    cop_dictionary_put("mine", cop_number(1));
    trace_end_of("child", look_for, "mine");
    for (int i = 0; i < 3; i++) trace_end_of("next in its place", look_for, "mine");
    trace_key("mine");
    trace_end_of("deferring", end_with_deferred, NULL);
}

START_TEST(each_process_has_a_dictionary_of_its_own_until_its_deferred_actions_have_run)
{
    expect_trace(story_of_own_dictionaries, "mine is not there, -1\n" "child down: normal\n"
                                            "mine is not there, -1\n"
                                            "next in its place down: normal\n"
                                            "mine is not there, -1\n"
                                            "next in its place down: normal\n"
                                            "mine is not there, -1\n"
                                            "next in its place down: normal\n"
                                            "mine is 1\n"
                                            "mine is 7\n" "deferring down: error:crash\n");
}
END_TEST

/* ---- ancestors ----------------------------------------------------------------------- */

struct generation {
    int left;                   /* generations below */
    cop_pid line[8];            /* those above, eldest first */
    int count;
};

static void descend(void *argument)
{
    struct generation generation = *(struct generation *)argument;
    cop_pid ancestors[8];
    size_t count = cop_ancestors(ancestors, 8);
    ck_assert_int_eq((int)count, generation.count);
    for (int i = 0; i < generation.count; i++)
        ck_assert(cop_pid_equal(ancestors[i], generation.line[generation.count - 1 - i]));
    ck_assert(cop_pid_equal(ancestors[0], cop_parent()));
    trace("%d ancestors", (int)count);
    if (generation.left-- == 0) return;
    generation.line[generation.count++] = cop_self();
    cop_ref ref;
    cop_spawn_monitor(descend, &generation, sizeof generation, &ref);
    trace_down("child", ref);
}

static void story_of_ancestors(void *argument)
{
    (void)argument;
    cop_pid none;
    ck_assert_uint_eq(cop_ancestors(&none, 1), 0);
    ck_assert(cop_pid_is_none(cop_parent()));
    struct generation generation = { .left = 2, .line = { cop_self() }, .count = 1 };
    cop_ref ref;
    cop_spawn_monitor(descend, &generation, sizeof generation, &ref);
    trace_down("child", ref);
}

START_TEST(ancestors_are_the_parent_and_its_parents_up_to_the_first_process)
{
    expect_trace(story_of_ancestors, "1 ancestors\n" "2 ancestors\n" "3 ancestors\n"
                                     "child down: normal\n" "child down: normal\n"
                                     "child down: normal\n");
}
END_TEST

static void orphan(void *argument)
{
    (void)argument;
    cop_pid ancestors[2] = { COP_NO_PID, COP_NO_PID };
    trace("%d ancestors", (int)cop_ancestors(ancestors, 2));
    cop_sleep(10);
    trace("%d ancestor", (int)cop_ancestors(ancestors, 2));
    ck_assert(cop_pid_equal(ancestors[0], cop_parent()));
    ck_assert(!cop_is_alive(ancestors[0]));
    trace("none fit: %d", (int)cop_ancestors(NULL, 0));
}

static void leave_an_orphan(void *argument)
{
    cop_spawn(orphan, argument, 0);
    cop_sleep(5);
}

static void story_of_an_orphan(void *argument)
{
    cop_spawn(leave_an_orphan, argument, 0);
    cop_sleep(7);
    cop_spawn(wait_for_ever, NULL, 0);    /* takes the parent's place in the table */
    cop_sleep(10);
}

START_TEST(the_list_of_ancestors_ends_behind_one_that_has_ended)
{
    expect_trace(story_of_an_orphan, "2 ancestors\n" "1 ancestor\n" "none fit: 1\n");
}
END_TEST

/* ---- groups -------------------------------------------------------------------------- */

static void spawn_and_end(void *depth)
{
    if (depth == NULL) cop_sleep(COP_INFINITY);
    cop_spawn(spawn_and_end, (char *)depth - 1, 0);
    trace("in group %u", cop_group());
}

static void join_and_spawn(void *argument)
{
    (void)argument;
    ck_assert_int_eq(cop_join_group(COP_GROUP_MAX + 1), COP_EINVAL);
    ck_assert_int_eq(cop_join_group(7), COP_OK);
    cop_spawn(spawn_and_end, (void *)2, 0);
    cop_sleep(COP_INFINITY);
}

static void story_of_groups(void *argument)
{
    (void)argument;
    cop_pid members[4], joined = cop_spawn(join_and_spawn, NULL, 0);
    trace("in group %u", cop_group());
    settle();
    trace("%d in group 0", (int)cop_group_members(0, members, 4));
    ck_assert(cop_pid_equal(members[0], cop_self()));
    trace("%d in group 7", (int)cop_group_members(7, members, 1));
    trace("%d in group 8", (int)cop_group_members(8, members, 4));
    ck_assert_uint_eq(cop_group_members(7, members, 4), 2);
    ck_assert(cop_pid_equal(members[0], joined) || cop_pid_equal(members[1], joined));
    for (int i = 0; i < 2; i++) cop_exit_process(members[i], COP_KILL);
    settle();
    trace("%d in group 7", (int)cop_group_members(7, members, 4));
}

START_TEST(descendants_are_in_the_group_that_one_has_joined_whoever_has_ended_between)
{
    expect_trace(story_of_groups, "in group 0\n" "in group 7\n" "in group 7\n"
                                  "1 in group 0\n" "2 in group 7\n" "0 in group 8\n"
                                  "0 in group 7\n");
    ck_assert_uint_eq(cop_group_members(0, NULL, 0), 0);
}
END_TEST

/* On real threads: nobody is taken for a member or a parent whose slot he has. */
static void flicker(void *argument)
{
    cop_pid ancestors[8];
    size_t count = cop_ancestors(ancestors, 8);
    ck_assert_uint_ge(count, 1);
    ck_assert_uint_le(count, 3);
    if (argument != NULL) cop_spawn(flicker, (char *)argument - 1, 0);
}

static void flickering_group(void *argument)
{
    cop_join_group(*(unsigned *)argument);
    for (int i = 0; i < 2000; i++) {
        cop_spawn(flicker, (void *)1, 0);
        if (i % 64 == 0) cop_yield();
    }
}

static void story_of_flickering(void *argument)
{
    (void)argument;
    static unsigned groups[] = { 1, 2, 3, 4 };
    cop_ref refs[4];
    for (int i = 0; i < 4; i++)
        cop_spawn_monitor(flickering_group, &groups[i], 0, &refs[i]);
    for (int i = 0; i < 500; i++) {
        cop_pid members[16];
        size_t count = cop_group_members(0, members, 16);
        ck_assert_uint_ge(count, 1);     /* itself, and at first those that have not joined yet */
        ck_assert_uint_le(count, 5);
        ck_assert_uint_eq(cop_group_members(9, members, 16), 0);
        if (i % 16 == 0) cop_yield();
    }
    for (int i = 0; i < 4; i++) cop_message_free(cop_take(&(cop_match){ .ref = refs[i] }, -1));
}

START_TEST(on_many_threads_nobody_is_taken_for_one_whose_place_he_has)
{
    ck_assert_int_eq(run_node_threads(story_of_flickering, NULL, 4), 0);
}
END_TEST

/* ---- callers ------------------------------------------------------------------------- */

static const char *name_of(cop_pid pid)
{
    static char name[64];
    if (!cop_name_of(pid, name, sizeof name)) cop_pid_format(pid, name, sizeof name);
    return name;
}

static void trace_callers(const char *who)
{
    cop_pid callers[4];
    size_t count = cop_callers(callers, 4);
    char line[128] = "";
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(line);
        snprintf(line + length, sizeof line - length, " %s", name_of(callers[i]));
    }
    trace("%s: %d callers%s", who, (int)count, line);
}

static cop_message *inner(void *argument)
{
    ck_assert_str_eq(argument, "text of odd size");
    trace_callers("inner");
    ck_assert_uint_eq(cop_callers(NULL, 0), 2);
    return NULL;
}

static cop_message *outer(void *argument)
{
    ck_assert_int_eq(*(const char *)argument, 'x');
    cop_register("outer");
    trace_callers("outer");
    static const char text[] = "text of odd size";
    cop_task task = cop_task_supervisor_async(cop_to("tasks"), inner, text, sizeof text);
    ck_assert_int_eq(cop_task_await(task, 100, NULL, NULL), COP_OK);
    task = cop_task_async(inner, text, sizeof text);
    ck_assert_int_eq(cop_task_await(task, 100, NULL, NULL), COP_OK);
    return NULL;
}

static cop_message *alone(void *argument)
{
    (void)argument;
    cop_pid parent[1];
    trace_callers("alone");
    ck_assert_uint_ge(cop_ancestors(parent, 1), 1);
    trace("alone: the parent is %s", name_of(parent[0]));
    return NULL;
}

static void story_of_callers(void *argument)
{
    (void)argument;
    static const cop_task_supervisor tasks = { .name = "tasks" };
    cop_must(cop_register("main"));
    cop_must(cop_task_supervisor_start_link(&tasks).error);
    trace_callers("main");
    cop_task task = cop_task_async(outer, "x", 1);
    ck_assert_int_eq(cop_task_await(task, 100, NULL, NULL), COP_OK);
    cop_must(cop_task_supervisor_start_child(cop_to("tasks"), alone, NULL, 0).error);
    settle();
}

START_TEST(a_task_knows_who_asked_for_it_and_who_asked_for_that)
{
    expect_trace(story_of_callers, "main: 0 callers\n"
                                   "outer: 1 callers main\n"
                                   "inner: 2 callers outer main\n"
                                   "inner: 2 callers outer main\n"
                                   "alone: 1 callers main\n"
                                   "alone: the parent is tasks\n");
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("dictionary");
    tcase_add_test(tests, a_key_has_the_value_that_was_put_last_until_it_is_erased);
    tcase_add_test(tests, a_thousand_keys_are_found_listed_and_erased_and_leave_no_memory_behind);
    tcase_add_test(tests,
                   each_process_has_a_dictionary_of_its_own_until_its_deferred_actions_have_run);
    tcase_add_test(tests, ancestors_are_the_parent_and_its_parents_up_to_the_first_process);
    tcase_add_test(tests, the_list_of_ancestors_ends_behind_one_that_has_ended);
    tcase_add_test(tests,
                   descendants_are_in_the_group_that_one_has_joined_whoever_has_ended_between);
    tcase_add_test(tests, on_many_threads_nobody_is_taken_for_one_whose_place_he_has);
    tcase_add_test(tests, a_task_knows_who_asked_for_it_and_who_asked_for_that);
    Suite *suite = suite_create("dictionary");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
