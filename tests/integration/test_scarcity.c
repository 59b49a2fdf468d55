/* test_scarcity.c - the system refuses memory, a descriptor, a thread: the n-th that is asked for,
 * for every n.  Each function returns what its header says, nothing leaks, nothing hangs. */
#include <coppice/coppice.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node.h"
#include "refusals.h"
#include "watch.h"

/* One of what the header lists, or success. */
static bool is_one_of(int error, int a, int b)
{
    return error == COP_OK || error == a || error == b;
}

/* A story's first process may itself find no memory. */
static void run(cop_function *story, const cop_run_options *options)
{
    int status = cop_run(story, NULL, options);
    refusals_end();
    expect_that(is_one_of(status, COP_ENOMEM, COP_EDOWN));
}

static void format(const cop_log_event *event, void *context)
{
    char text[2000];
    (void)context;
    expect_that(cop_log_format(event, text, sizeof text) > 0);
}

static const cop_run_options virtual_time = { .deterministic = true, .seed = 1, .log = format };

COP_MESSAGE(note, { char text[100]; });
COP_MESSAGE_WITH(parcel, { cop_buffer *buffer; }, cop_buffer_drop);
COP_CALL(ask, { int n; }, { int n; });

/* ---- a node ---------------------------------------------------------------------------- */

static void nothing(void *argument)
{
    (void)argument;
}

static void starts_a_node(void)
{
    refusals_begin();
    run(nothing, &virtual_time);
}

static void starts_four_schedulers(void)
{
    refusals_begin();
    run(nothing, &(cop_run_options){ .schedulers = 4 });
}

START_TEST(a_node_starts_or_says_that_it_can_not)
{
    refusals_walk(starts_a_node, &(struct refusals){ .of = SCARCE_MEMORY });
    refusals_walk(starts_a_node, &(struct refusals){ .of = SCARCE_MEMORY, .every = 1 });
    refusals_walk(starts_four_schedulers, &(struct refusals){ .of = SCARCE_MEMORY });
    refusals_walk(starts_four_schedulers, &(struct refusals){ .of = SCARCE_MEMORY, .every = 1 });
}
END_TEST

/* ---- processes ------------------------------------------------------------------------- */

static void listens(void *argument)
{
    (void)argument;
    cop_dictionary_put("me", cop_number(1));
    int error = cop_register("listener");
    expect_that(error == COP_OK || error == COP_ENOMEM);
    expect_that(cop_pid_equal(cop_whereis("listener"), error == COP_OK ? cop_self() : COP_NO_PID));
    while (cop_receive_type(note, 10) != NULL) continue;
}

static void spawns(void)
{
    const char text[300] = "argument";
    cop_ref ref = COP_NO_REF;
    cop_pid pid = cop_spawn_opt(listens, text, sizeof text, &(cop_spawn_options){
        .monitor = true, .ret_ref = &ref, .max_memory = 100000,
        .mailbox = { .limit = 3, .when_full = COP_MAILBOX_DROP_OLDEST } });
    if (cop_pid_is_none(pid))
        return;
    cop_ref named = cop_monitor("listener");
    for (int i = 0; i < 10; i++) expect_that(cop_send(pid, note, .text = "hello") == COP_OK);
    cop_ref timer = cop_send_after("listener", 1, note, .text = "later");
    expect_that(cop_ref_equal(timer, COP_NO_REF) || cop_read_timer(timer) == 1);
    cop_message_free(cop_take(&(cop_match){ .ref = named }, COP_INFINITY));
    cop_message_free(cop_take(&(cop_match){ .ref = ref }, COP_INFINITY));
}

static void own(void *argument)
{
    (void)argument;
    char *block = cop_alloc(5000);
    memset(block, 'x', 5000);
    block = cop_realloc(block, 50000);
    expect_that(block[4999] == 'x');
    expect_that(strcmp(cop_strdup("text"), "text") == 0);
    cop_buffer *buffer = cop_buffer_new("bytes", 5);
    if (buffer == NULL)
        return;
    cop_own_buffer(buffer);
    int error = cop_limit_memory(1000000);
    expect_that(error == COP_OK || error == COP_ENOMEM);
    const cop_reason *reason = cop_reason_tuple("shutdown", cop_reason_error("no %s", "more"));
    cop_exit(reason);
}

static void raises(void *argument)
{
    (void)argument;
    cop_link(cop_parent());
    cop_raise("a reason with a text");
}

static void uses_processes(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    refusals_begin();
    spawns();
    cop_ref ref;
    if (!cop_pid_is_none(cop_spawn_monitor(own, NULL, 0, &ref)))
        cop_message_free(cop_take(&(cop_match){ .ref = ref }, COP_INFINITY));
    if (!cop_pid_is_none(cop_spawn_monitor(raises, NULL, 0, &ref)))
        cop_message_free(cop_take(&(cop_match){ .ref = ref }, COP_INFINITY));
    cop_ref timers[200];
    for (int i = 0; i < 200; i++)
        timers[i] = cop_send_after(cop_self(), 1000 + i, note, .text = "");
    for (int i = 0; i < 200; i++)
        expect_that(cop_ref_equal(timers[i], COP_NO_REF) ||
                    cop_cancel_timer(timers[i]) == 1000 + i);
    refusals_end();
}

static void tells_of_processes(void)
{
    run(uses_processes, &virtual_time);
}

START_TEST(processes_do_without_or_end)
{
    refusals_walk(tells_of_processes, &(struct refusals){ .of = SCARCE_MEMORY });
    for (uint64_t every = 2; every <= 5; every++)
        refusals_walk(tells_of_processes,
                      &(struct refusals){ .of = SCARCE_MEMORY, .every = every, .most = 60 });
}
END_TEST

START_TEST(when_there_is_no_memory_any_more_the_node_goes_on_or_says_why_not)
{
    refusals_walk(tells_of_processes, &(struct refusals){ .of = SCARCE_MEMORY, .every = 1,
                                                          .may_end_node = true });
}
END_TEST

/* ---- a tree ---------------------------------------------------------------------------- */

static cop_next begins(void *state, const void *argument)
{
    (void)argument;
    *(char **)state = cop_alloc(100);
    return cop_ok();
}

static cop_next answers(void *state, const cop_message *request, cop_from from)
{
    (void)state;
    (void)from;
    int n = cop_expect(request, ask)->n;
    if (n < 0)
        cop_raise("negative");
    return cop_reply(ask, .n = n + 1);
}

static const cop_gen_server server = { .name = "server", .state_size = sizeof(char *),
                                       .init = begins, .handle_call = answers };
static const cop_gen_server nameless = { .state_size = sizeof(char *), .init = begins,
                                         .handle_call = answers };
static const cop_registry rooms = { .name = "rooms", .partitions = 2 };
static const int zero;
static const cop_agent counter = { .name = "counter", .initial = &zero, .size = sizeof zero };
static const cop_child_spec pooled = { .id = "part", .start = cop_child_server,
                                       .module = &nameless };
static const cop_partition_supervisor pool = { .name = "pool", .child = &pooled, .partitions = 2 };
static const cop_dynamic_supervisor dynamic = { .name = "dynamic" };
static const cop_task_supervisor tasks = { .name = "tasks" };
static const cop_child_spec children[] = {
    COP_CHILD_SERVER(server), COP_CHILD_REGISTRY(rooms), COP_CHILD_AGENT(counter),
    COP_CHILD_PARTITION_SUPERVISOR(pool), COP_CHILD_DYNAMIC_SUPERVISOR(dynamic),
    COP_CHILD_TASK_SUPERVISOR(tasks),
};
static const cop_supervisor top = { .name = "top", COP_CHILDREN(children),
                                    .intensity = COP_MAX_RESTARTS(10, 5) };

static void calls_server(int n)
{
    ask_reply reply;
    int error = cop_call("server", &reply, ask, .n = n);
    expect_that(error == COP_ENOMEM || error == COP_ENOPROC || error == COP_EDOWN ||
                (error == COP_OK && reply.n == n + 1));
}

static void visit(const cop_registry_entry *entry, void *context)
{
    (void)entry;
    ++*(int *)context;
}

static void uses_registry(void)
{
    int error = cop_registry_register(&rooms, "hall", .number = 1);
    expect_that(is_one_of(error, COP_ENOMEM, COP_ENOPROC));
    int seen = 0;
    cop_registry_dispatch(&rooms, "hall", visit, &seen);
    expect_that(seen == (error == COP_OK) || !cop_is_alive(cop_whereis("rooms")));
    error = cop_registry_put_meta(&rooms, "meta", (cop_registry_value){ .number = 2 });
    expect_that(is_one_of(error, COP_ENOMEM, COP_ENOPROC));
    error = cop_registry_unregister(&rooms, "hall");
    expect_that(is_one_of(error, COP_ENOPROC, COP_ENOMEM));
}

static cop_message *works(void *argument)
{
    cop_alloc(3000);
    return cop_message_new(COP_TYPE(note), argument, 0);
}

static void adds(void *state, const void *argument, void *result)
{
    (void)result;
    *(int *)state += *(const int *)argument;
}

static void uses_tasks(void)
{
    note text = { "task" };
    cop_task task = cop_task_supervisor_async_nolink(cop_to("tasks"), works, &text, sizeof text);
    if (task.error != COP_OK)
        return;
    cop_message *result = NULL;
    const cop_reason *reason = NULL;
    int error = cop_task_await(task, 1000, &result, &reason);
    expect_that(error == COP_OK || error == COP_EDOWN || error == COP_ENOMEM);
    expect_that((error == COP_OK) == (result != NULL));
    cop_message_free(result);
    cop_reason_unref(reason);
}

static bool two_inputs(void *context, void *ret_input)
{
    *(note *)ret_input = (note){ "stream" };
    return (*(int *)context)++ < 2;
}

static void uses_stream(void)
{
    int given = 0;
    cop_task_item item;
    cop_task_stream *stream = cop_task_supervisor_async_stream_nolink(
        cop_to("tasks"), &(cop_task_stream_options){ .function = works, .input = two_inputs,
                                                     .context = &given,
                                                     .input_size = sizeof(note) });
    if (stream == NULL)
        return;
    while (cop_task_stream_next(stream, &item))
        expect_that((item.error == COP_OK) == (item.message != NULL));
    cop_task_stream_close(stream);
}

static void uses_application(void)
{
    static const cop_supervisor empty = { .name = "empty" };
    static const cop_application application = { .name = "application", .supervisor = &empty };
    if (cop_application_load(&application) != COP_OK)
        return;
    cop_started started = cop_application_start("application", COP_TEMPORARY);
    cop_reason_unref(started.reason);
    if (started.error == COP_OK)
        cop_application_stop("application");
    cop_application_unload("application");
}

static void uses_supervisor(void)
{
    cop_child_info *list;
    size_t count;
    if (cop_supervisor_which_children(cop_to("top"), &list, &count) == COP_OK) {
        expect_that(count <= 7);
        cop_free(list);
    }
    cop_started extra = cop_supervisor_start_child(
        cop_to("top"), &(cop_child_spec){ .id = "extra", .start = cop_child_server,
                                          .module = &nameless, .restart = COP_TEMPORARY });
    expect_that(extra.error != COP_OK || !cop_pid_is_none(extra.pid));
    cop_reason_unref(extra.reason);
    cop_started child = cop_dynamic_supervisor_start_child(cop_to("dynamic"), &pooled);
    cop_reason_unref(child.reason);
    if (child.error == COP_OK)
        cop_dynamic_supervisor_terminate_child(cop_to("dynamic"), child.pid);
}

static void uses_tree(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    refusals_begin();
    cop_started tree = cop_supervisor_start_link(&top);
    expect_that(tree.error == COP_OK || tree.error == COP_EFAILED || tree.error == COP_ENOMEM);
    cop_reason_unref(tree.reason);
    if (tree.error == COP_OK) {
        calls_server(1);
        calls_server(-1);
        cop_sleep(1);
        calls_server(2);
        uses_registry();
        uses_tasks();
        uses_stream();
        uses_application();
        uses_supervisor();
        int one = 1;
        cop_agent_update(cop_to("counter"), adds, &one, sizeof one, 1000);
        if (cop_is_alive(tree.pid))
            cop_supervisor_stop(cop_to(tree.pid), COP_SHUTDOWN);
    }
    refusals_end();
}

static void tells_of_a_tree(void)
{
    run(uses_tree, &virtual_time);
}

START_TEST(a_tree_starts_or_says_why_not_and_goes_on)
{
    refusals_walk(tells_of_a_tree, &(struct refusals){ .of = SCARCE_MEMORY });
    for (uint64_t every = 3; every <= 5; every++)
        refusals_walk(tells_of_a_tree,
                      &(struct refusals){ .of = SCARCE_MEMORY, .every = every, .most = 60 });
}
END_TEST

START_TEST(a_tree_without_memory_ends_or_the_node_says_why)
{
    refusals_walk(tells_of_a_tree, &(struct refusals){ .of = SCARCE_MEMORY, .every = 1,
                                                       .may_end_node = true });
}
END_TEST

/* ---- what a process waits for ----------------------------------------------------------- */

static void doubles(void *argument)
{
    *(int *)argument *= 2;
}

static void writes_late(void *argument)
{
    cop_sleep(5);
    expect_that(write(*(const int *)argument, "x", 1) == 1);
}

static void waits_for_functions(void)
{
    int number = 21;
    int error = cop_blocking(doubles, &number, sizeof number);
    expect_that(is_one_of(error, COP_ENOMEM, COP_ENOMEM));
    expect_that(number == (error == COP_OK ? 42 : 21));
}

static void waits_for_descriptors(void)
{
    int ends[2];
    char byte;
    expect_that(pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0);
    cop_deferred *in = cop_own_fd(ends[0]), *out = cop_own_fd(ends[1]);
    cop_ref ref;
    cop_pid writer = cop_spawn_monitor(writes_late, &ends[1], sizeof ends[1], &ref);
    int64_t got = cop_read(ends[0], &byte, 1, cop_pid_is_none(writer) ? 1 : 50);
    expect_that(got == 1 || got == COP_ENOMEM || got == COP_ETIMEOUT);
    if (!cop_pid_is_none(writer))
        cop_message_free(cop_take(&(cop_match){ .ref = ref }, COP_INFINITY));
    cop_undefer(in, true);
    cop_undefer(out, true);
}

static void waits(void *argument)
{
    (void)argument;
    refusals_begin();
    waits_for_functions();
    waits_for_descriptors();
    static cop_mutex mutex = COP_MUTEX_INIT;
    int error = cop_mutex_lock(&mutex, 10);
    if (error == COP_OK)
        expect_that(cop_mutex_unlock(&mutex) == COP_OK);
    waits_for_functions();
    waits_for_descriptors();
    refusals_end();
}

static void tells_of_waits(void)
{
    run(waits, &virtual_time);
}

static void tells_of_waits_on_threads(void)
{
    refusals_begin();
    run(waits, &(cop_run_options){ .schedulers = 2 });
}

START_TEST(who_waits_gets_it_or_is_told)
{
    for (enum scarce what = 0; what < SCARCE_KINDS; what++) {
        refusals_walk(tells_of_waits, &(struct refusals){ .of = what });
        refusals_walk(tells_of_waits, &(struct refusals){ .of = what, .every = 2, .most = 30 });
        refusals_walk(tells_of_waits_on_threads, &(struct refusals){ .of = what, .most = 30 });
        refusals_walk(tells_of_waits_on_threads,
                      &(struct refusals){ .of = what, .every = 1, .most = 30,
                                          .may_end_node = what == SCARCE_MEMORY });
    }
}
END_TEST

/* ---- the suite ------------------------------------------------------------------------- */

int main(int count, char *arguments[])
{
    (void)count;
    refusals_init(arguments);
    Suite *suite = suite_create("scarcity");
    TCase *tests = tcase_create("scarcity");
    tcase_set_timeout(tests, 100);
    tcase_add_test(tests, a_node_starts_or_says_that_it_can_not);
    tcase_add_test(tests, processes_do_without_or_end);
    tcase_add_test(tests, when_there_is_no_memory_any_more_the_node_goes_on_or_says_why_not);
    tcase_add_test(tests, a_tree_starts_or_says_why_not_and_goes_on);
    tcase_add_test(tests, a_tree_without_memory_ends_or_the_node_says_why);
    tcase_add_test(tests, who_waits_gets_it_or_is_told);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
