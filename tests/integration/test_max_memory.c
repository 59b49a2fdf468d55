/* test_max_memory.c - who wants more memory than it may have ends; who gives back may go on. */
#include <coppice/coppice.h>

#include <stdlib.h>

#include "expect_story.h"
#include "trace.h"
#include "watch.h"

COP_CALL(ask, { int n; }, { int n; });

static void ends(void *argument)
{
    (void)argument;
}

enum { LIMIT = 10000 };

static void traces_its_end(void *argument)
{
    cop_alloc(LIMIT);                   /* a deferred action is not limited */
    trace("cleans up: %s", (const char *)argument);
}

static void leaks(void *argument)
{
    (void)argument;
    cop_defer(traces_its_end, (void *)(uintptr_t)"leaks");
    for (;;) cop_alloc(100);
}

static void stays_within(void *argument)
{
    (void)argument;
    for (int i = 0; i < 1000; i++) {
        void *block = cop_alloc(4000);
        block = cop_realloc(block, 9000);
        block = cop_realloc(block, 9900);
        cop_free(block);
    }
    cop_limit_memory(0);
    cop_alloc(10 * LIMIT);
}

static void wants_all_at_once(void *argument)
{
    (void)argument;
    cop_alloc(SIZE_MAX - 5);
}

static void grows_a_block(void *argument)
{
    (void)argument;
    char *block = NULL;
    for (size_t size = 1;; size *= 2) block = cop_realloc(block, size);
}

static void limits_itself(void *argument)
{
    (void)argument;
    char *block = cop_alloc(2 * LIMIT);
    ck_assert_int_eq(cop_limit_memory(LIMIT), COP_OK);
    block = cop_realloc(block, 2 * LIMIT - 1);      /* less is always possible */
    ck_assert_ptr_nonnull(block);
    cop_alloc(1);
}

static void end_of(const char *what, cop_function *function)
{
    cop_ref ref;
    cop_spawn_opt(function, NULL, 0, &(cop_spawn_options){
        .monitor = true, .ret_ref = &ref, .max_memory = LIMIT });
    trace_down(what, ref);
}

static void limits_memory(void *argument)
{
    (void)argument;
    end_of("leaks", leaks);
    end_of("stays_within", stays_within);
    end_of("wants_all_at_once", wants_all_at_once);
    end_of("grows_a_block", grows_a_block);
    trace_end_of("limits_itself", limits_itself, NULL);
    trace_end_of("without a limit", ends, NULL);
}

START_TEST(who_wants_more_memory_than_it_may_have_ends)
{
    expect_story(limits_memory, "cleans up: leaks\nleaks down: error:enomem: max_memory\n"
                                "stays_within down: normal\n"
                                "wants_all_at_once down: error:enomem: max_memory\n"
                                "grows_a_block down: error:enomem: max_memory\n"
                                "limits_itself down: error:enomem: max_memory\n"
                                "without a limit down: normal\n");
}
END_TEST

static cop_next leaks_at_a_call(void *state, const cop_message *request, cop_from from)
{
    (void)request;
    (void)from;
    *(char **)state = cop_alloc(LIMIT);
    return cop_noreply();
}

static void calls_a_leaking_server(void *argument)
{
    (void)argument;
    static const cop_gen_server leaking = {
        .state_size = sizeof(char *), .handle_call = leaks_at_a_call, .max_memory = LIMIT };
    cop_started started = cop_gen_server_start(&leaking);
    ck_assert_int_eq(started.error, COP_OK);
    const cop_reason *reason;
    int error = cop_call_message(cop_to(started.pid), cop_new(ask, 0), COP_INFINITY, NULL, &reason);
    trace("call: %s: %s", cop_error_name(error), reason_text(reason));
    cop_reason_unref(reason);
}

START_TEST(a_server_that_leaks_ends_at_its_limit)
{
    expect_story(calls_a_leaking_server,
                 "call: down: error:enomem: max_memory\n");
}
END_TEST

static Suite *max_memory_suite(void)
{
    Suite *suite = suite_create("max_memory");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, who_wants_more_memory_than_it_may_have_ends);
    tcase_add_test(tcase, a_server_that_leaks_ends_at_its_limit);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(max_memory_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
