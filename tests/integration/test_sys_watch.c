/* test_sys_watch.c - sys: counting, tracing and logging a server's messages. */
#include <coppice/coppice.h>

#include "obedient.h"

enum { SOON = 1000 };

static void story_of_statistics(void *argument)
{
    (void)argument;
    cop_ref ref;
    ask_reply reply;
    cop_pid server = start(&obedient, &ref);
    cop_sys_counts counts = { .messages_in = 99 };
    trace("off: %s", cop_error_name(cop_sys_statistics(cop_to(server), &counts, SOON)));
    TELL(server, "not counted");
    cop_sleep(5);
    cop_must(cop_sys_statistics_on(cop_to(server), true, SOON));
    TELL(server, "hello");
    SAY(server, "wait");
    cop_sleep(200);
    cop_must(cop_call(server, &reply, ask, "reply"));
    cop_must(cop_sys_statistics(cop_to(server), &counts, SOON));
    trace("from %d to %d ms: %d in, %d out", (int)(counts.start_ns / 1000000),
          (int)(counts.now_ns / 1000000), (int)counts.messages_in, (int)counts.messages_out);
    cop_must(cop_sys_statistics_on(cop_to(server), true, SOON));
    cop_must(cop_sys_statistics(cop_to(server), &counts, SOON));
    trace("anew: %d in", (int)counts.messages_in);
    cop_must(cop_sys_statistics_on(cop_to(server), false, SOON));
    trace("off: %s", cop_error_name(cop_sys_statistics(cop_to(server), &counts, SOON)));
}

START_TEST(statistics_count_messages_and_replies_from_when_they_are_switched_on)
{
    expect_story(story_of_statistics, "off: badarg\n" "cast: not counted\n"
                                      "cast: hello\n" "info: wait\n" "timeout at 105 ms\n"
                                      "call: reply\n"
                                      "from 5 to 205 ms: 4 in, 1 out\n"
                                      "anew: 0 in\n" "off: badarg\n");
}
END_TEST

static void story_of_tracing(void *argument)
{
    (void)argument;
    cop_ref ref;
    ask_reply reply;
    cop_must(cop_register("tester"));
    cop_pid server = start(&obedient, &ref);
    cop_must(cop_sys_trace(cop_to(server), true, SOON));
    TELL(server, "hello");
    SAY(server, "poll");
    cop_must(cop_call(server, &reply, ask, "reply"));
    cop_must(cop_sys_trace(cop_to(server), false, SOON));
    TELL(server, "unseen");
    cop_must(cop_sys_trace(cop_to(server), true, SOON));
    cop_must(cop_call(server, &reply, ask, "stop and reply"));
}

START_TEST(a_traced_server_tells_the_log_each_message_and_each_reply)
{
    expect_story(story_of_tracing, "note: tell: got a cast from tester\n" "cast: hello\n"
                                   "note: tell: got a message from tester\n" "info: poll\n"
                                   "note: ask: got a call from tester\n" "call: reply\n"
                                   "note: ask_reply: replied to tester\n"
                                   "cast: unseen\n"
                                   "note: ask: got a call from tester\n" "call: stop and reply\n"
                                   "terminate: told_to, 5 done\n"
                                   "report: obedient had ask: told_to\n"
                                   "note: ask_reply: replied to tester\n");
}
END_TEST

static void trace_log(cop_pid server, size_t room)
{
    cop_sys_log_entry entries[8];
    size_t count = 99;
    cop_must(cop_sys_get_log(cop_to(server), entries, room, &count, SOON));
    trace("%zu kept", count);
    for (size_t i = 0; i < count; i++) {
        ck_assert(cop_pid_is_none(entries[i].peer) || cop_pid_equal(entries[i].peer, cop_self()));
        trace("  %d ms %s %s", (int)(entries[i].time_ns / 1000000), entries[i].out ? "out" : "in",
              entries[i].type);
    }
}

static void story_of_the_log(void *argument)
{
    (void)argument;
    cop_ref ref;
    ask_reply reply;
    cop_pid server = start(&obedient, &ref);
    trace_log(server, 8);
    cop_must(cop_sys_log(cop_to(server), 3, SOON));
    TELL(server, "wait");
    trace_log(server, 8);
    cop_sleep(200);
    trace_log(server, 8);
    cop_must(cop_call(server, &reply, ask, "reply"));
    trace_log(server, 8);
    trace_log(server, 2);
    trace_log(server, 0);
    cop_must(cop_sys_log(cop_to(server), 0, SOON));
    TELL(server, "hello");
    trace_log(server, 8);
}

START_TEST(the_log_keeps_the_newest_messages_and_replies)
{
    expect_story(story_of_the_log, "0 kept\n"
                                   "cast: wait\n" "1 kept\n" "  0 ms in tell\n"
                                   "timeout at 100 ms\n"
                                   "2 kept\n" "  0 ms in tell\n"
                                   "  100 ms in cop_timeout_message\n"
                                   "call: reply\n"
                                   "3 kept\n" "  100 ms in cop_timeout_message\n"
                                   "  200 ms in ask\n" "  200 ms out ask_reply\n"
                                   "2 kept\n" "  200 ms in ask\n" "  200 ms out ask_reply\n"
                                   "0 kept\n"
                                   "cast: hello\n" "0 kept\n");
}
END_TEST

static size_t memory_of(cop_pid server)
{
    cop_sys_status status;
    cop_must(cop_sys_get_status(cop_to(server), &status, SOON));
    return status.memory_bytes;
}

static void story_of_memory(void *argument)
{
    (void)argument;
    cop_ref ref;
    cop_dest server = cop_to(start(&obedient, &ref));
    size_t before = memory_of(server.pid);
    ck_assert_uint_le(before, sizeof(struct obedient) + 32);
    for (int i = 0; i < 3; i++) {
        cop_must(cop_sys_log(server, 100, SOON));
        ck_assert_uint_gt(memory_of(server.pid), before + 100 * sizeof(cop_sys_log_entry));
        cop_must(cop_sys_trace(server, true, SOON));
        cop_must(cop_sys_statistics_on(server, true, SOON));
        cop_must(cop_sys_log(server, 0, SOON));
        ck_assert_uint_gt(memory_of(server.pid), before);
        cop_must(cop_sys_trace(server, false, SOON));
        cop_must(cop_sys_statistics_on(server, false, SOON));
        ck_assert_uint_eq(memory_of(server.pid), before);
    }
}

START_TEST(a_server_that_nobody_watches_any_more_has_no_memory_for_it)
{
    expect_story(story_of_memory, "");
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("sys_watch");
    tcase_add_test(tests, statistics_count_messages_and_replies_from_when_they_are_switched_on);
    tcase_add_test(tests, a_traced_server_tells_the_log_each_message_and_each_reply);
    tcase_add_test(tests, the_log_keeps_the_newest_messages_and_replies);
    tcase_add_test(tests, a_server_that_nobody_watches_any_more_has_no_memory_for_it);
    Suite *suite = suite_create("sys_watch");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
