/* work.c - operations on servers, tasks, agents, registries, mutexes and applications. */
#include "world.h"

/* ---- servers --------------------------------------------------------------------------- */

static void do_server(const command *order)
{
    uint8_t how = (order->b >> 4 & 3) != 0 ? order->a | ACTOR_LOSES : order->a;
    static const cop_registry unique = { .name = "unique" };
    cop_started started = cop_gen_server_start_opt(
        &actor_server,
        &(cop_start_options){ .argument = &how, .argument_size = 1,
                              .name = (order->b & 1) != 0 ? some_name(order->c) : NULL,
                              .via = (order->b & 2) != 0 ? COP_VIA(&unique, "k0") : NULL,
                              .link = (order->b & 4) != 0,
                              .timeout_ms = (order->b & 8) != 0 ? 20 : 0,
                              .mailbox = { order->b >> 4 & 3,
                                           (enum cop_when_full)(order->b >> 6) } });
    cop_reason_unref(started.reason);
}

static void do_call(const command *order)
{
    question_reply reply;
    int error = cop_call_timeout(some_dest(order->a, order->b), order->c, &reply, question,
                                 .how = order->d);
    MUST(error <= 0, "%d", error);
}

static void do_cast(const command *order)
{
    cop_cast(some_dest(order->a, order->b), chatter, 0);
}

static void do_answer(const command *order)
{
    if (world.from_count == 0) return;
    cop_answer(world.froms[order->a % (world.from_count < KNOWN_FROMS ? world.from_count
                                                                      : KNOWN_FROMS)],
               question, .how = order->b);
}

static void replace(void *state, const void *argument)
{
    (void)state;
    if (argument != NULL && *(const uint8_t *)argument % 16 == 0) cop_raise("replaced");
}

static void do_sys(const command *order)
{
    cop_dest to = some_dest(order->a & 7, order->a >> 3);
    cop_sys_status status;
    cop_sys_counts counts;
    cop_sys_log_entry entries[3];
    size_t count;
    uint8_t state[8];
    int64_t ms = 30;
    switch (order->b % 10) {
    case 0: case 1: cop_sys_suspend(to, ms); break;
    case 2: case 3: cop_sys_resume(to, ms); break;
    case 4: cop_sys_get_state(to, state, order->c % 9, ms); break;
    case 5: cop_sys_replace_state(to, replace, &order->c, order->d & 1, ms); break;
    case 6: cop_sys_get_status(to, &status, ms); break;
    case 7: cop_sys_statistics_on(to, order->c & 1, ms); cop_sys_statistics(to, &counts, ms); break;
    case 8: cop_sys_log(to, order->c & 3, ms); cop_sys_get_log(to, entries, 3, &count, ms); break;
    default: cop_sys_trace(to, order->c & 1, ms); cop_sys_terminate(to, some_reason(order->d), ms);
    }
}

/* ---- tasks ----------------------------------------------------------------------------- */

static void do_task(const command *order)
{
    cop_dest to = some_dest(order->c & 7, order->c >> 3);
    cop_task task;
    switch (order->a % 4) {
    case 0: task = cop_task_async(actor_task, &order->b, 1); break;
    case 1: task = cop_task_supervisor_async(to, actor_task, &order->b, 1); break;
    case 2: task = cop_task_supervisor_async_nolink(to, actor_task, &order->b, 1); break;
    default:
        task = cop_task_supervisor_async_nolink_opt(to, actor_task, &order->b, 1,
                                                    (cop_shutdown)COP_SHUTDOWN_MS(10));
        break;
    }
    if (task.error != COP_OK) return;
    world.tasks[world.task_count++ % KNOWN_TASKS] = task;
    world_add_ref(task.ref);
    world_add_pid(task.pid);
}

static void do_await(const command *order)
{
    cop_message *result = NULL;
    const cop_reason *reason = NULL;
    cop_task task = world.tasks[order->a % KNOWN_TASKS];
    int error;
    switch (order->b % 4) {
    case 0: error = cop_task_await(task, order->c, &result, &reason); break;
    case 1: error = cop_task_yield(task, order->c, &result, &reason); break;
    case 2: error = cop_task_ignore(task, &result, &reason); break;
    default:
        error = cop_task_shutdown(task, (order->c & 1) != 0
                                            ? (cop_shutdown)COP_BRUTAL_KILL
                                            : (cop_shutdown)COP_SHUTDOWN_MS(order->c),
                                  &result, &reason);
        break;
    }
    MUST(error <= 0, "%d", error);
    MUST(error == COP_OK || result == NULL, "a result of a failure");
    cop_message_free(result);
    cop_reason_unref(reason);
}

static void do_await_many(const command *order)
{
    const cop_reason *reason = NULL;
    cop_message *messages[3];
    cop_task_result results[3];
    const cop_task *tasks = &world.tasks[order->a % (KNOWN_TASKS - 3)];
    if ((order->b & 1) != 0) {
        if (cop_task_await_many(tasks, 3, order->c, messages, &reason) == COP_OK)
            for (int i = 0; i < 3; i++) cop_message_free(messages[i]);
        cop_reason_unref(reason);
        return;
    }
    const cop_yield_options options = { .limit = order->b >> 1 & 3,
                                        .on_timeout = (enum cop_yield_on_timeout)(order->d % 3) };
    if (cop_task_yield_many(tasks, 3, order->c, &options, results) == COP_OK)
        for (int i = 0; i < 3; i++) cop_task_result_deinit(&results[i]);
}

static bool next_input(void *context, void *ret_input)
{
    uint8_t *left = context;
    if (*left % 16 == 0) return false;
    *(uint8_t *)ret_input = (*left)--;
    return true;
}

static void do_stream(const command *order)
{
    uint8_t *inputs = cop_alloc(1);
    *inputs = order->a;
    const cop_task_stream_options options = {
        .function = actor_task, .input = next_input, .context = inputs, .input_size = 1,
        .max_concurrency = order->b & 3, .unordered = (order->b & 4) != 0,
        .timeout_ms = order->b >> 4, .on_timeout = (enum cop_stream_on_timeout)(order->b >> 3 & 1),
    };
    cop_dest to = some_dest(order->c & 7, order->c >> 3);
    cop_task_stream *stream =
        (order->d & 1) != 0 ? cop_task_supervisor_async_stream_nolink(to, &options)
                            : cop_task_async_stream(&options);
    cop_task_item item;
    for (int i = order->d >> 1 & 7; i > 0 && cop_task_stream_next(stream, &item); i--)
        if ((i & 1) != 0) cop_message_free(cop_task_stream_take(stream));
    if ((order->d & 64) == 0) cop_task_stream_close(stream);
}

static void do_task_supervisor(const command *order)
{
    static const cop_task_supervisor tasks = { .name = "tasks", .max_children = 5 };
    cop_dest to = some_dest(order->c & 7, order->c >> 3);
    cop_pid *pids = NULL;
    size_t count;
    switch (order->a % 4) {
    case 0:
        cop_reason_unref(cop_task_supervisor_start_opt(
                             &tasks, &(cop_start_options){ .link = (order->b & 1) != 0 }).reason);
        break;
    case 1:
        cop_reason_unref(cop_task_supervisor_start_child_opt(
                             to, actor_task, &order->b, 1, (enum cop_restart)(order->d & 3),
                             (cop_shutdown)COP_BRUTAL_KILL).reason);
        break;
    case 2: cop_task_supervisor_terminate_child(to, some_pid(order->b)); break;
    default:
        if (cop_task_supervisor_children(to, &pids, &count) == COP_OK) cop_free(pids);
        break;
    }
}

/* ---- registries ------------------------------------------------------------------------ */

static const char *some_key(uint8_t byte)
{
    static const char *const keys[] = { "k0", "k1", "k2", "" };
    return keys[byte % 4];
}

static void visit(const cop_registry_entry *entry, void *context)
{
    (void)context;
    MUST(entry->key[0] != '\0', "no key");
    cop_send(entry->pid, chatter, 0);
}

static void in_lock(void *argument)
{
    uint8_t how = *(const uint8_t *)argument;
    if (how % 4 == 0) cop_sleep(3);
    if (how % 4 == 1) cop_raise("in the lock");
    if (how % 4 == 2) cop_yield();
}

static void do_registry(const command *order)
{
    static const char *const listeners[] = { "n0", NULL };
    static const cop_registry registries[] = {
        { .name = "unique", .partitions = 2, .listeners = listeners },
        { .name = "many", .keys = COP_DUPLICATE, .partitions = 1 },
    };
    const cop_registry *registry = &registries[order->a & 1];
    const char *key = some_key(order->b);
    cop_registry_value value = { .number = order->c };
    cop_pid holder = COP_NO_PID;
    switch (order->a >> 1 & 15) {
    case 0: case 1: {
        cop_started started = cop_registry_start_opt(
            registry, &(cop_start_options){ .link = (order->c & 1) != 0 });
        world_add_pid(started.pid);
        cop_reason_unref(started.reason);
        break;
    }
    case 2: case 3: case 4: {
        int error = cop_registry_register_value(registry, key, value, &holder);
        MUST(error != COP_EALREADY_STARTED || !cop_pid_is_none(holder), "held by nobody");
        break;
    }
    case 5: cop_registry_unregister(registry, key); break;
    case 6: cop_registry_unregister_value(registry, key, value); break;
    case 7: cop_registry_update_value(registry, key, value); break;
    case 8: case 9: {
        uint8_t how = order->d;
        cop_registry_lock(registry, key, in_lock, &how);
        break;
    }
    case 10: cop_registry_dispatch(registry, key, visit, NULL); break;
    case 11: cop_registry_keys(registry, some_pid(order->c), visit, NULL); break;
    case 12: cop_registry_select(registry, visit, NULL); break;
    case 13:
        cop_registry_put_meta(registry, key, value);
        cop_registry_meta(registry, key, &value);
        break;
    case 14: cop_registry_delete_meta(registry, key); break;
    default:
        MUST(cop_registry_count_key(registry, key) <= cop_registry_count(registry), "more of one");
        cop_registry_whereis(registry, key, &value);
        break;
    }
}

/* ---- mutexes, agents, applications ----------------------------------------------------- */

static void do_mutex(const command *order)
{
    static cop_mutex mutexes[2] = { COP_MUTEX_INIT, COP_MUTEX_INIT };
    cop_mutex *mutex = &mutexes[order->a & 1];
    if ((order->a & 2) != 0) {
        MUST(cop_mutex_unlock(mutex) <= 0, "unlocked");
        return;
    }
    int error = cop_mutex_lock(mutex, some_ms(order->b % 7));
    if (error >= 0) MUST(cop_pid_equal(cop_mutex_owner(mutex), cop_self()), "it is another's");
}

static void add(void *state, const void *argument, void *result)
{
    uint8_t n = argument == NULL ? 0 : *(const uint8_t *)argument;
    if (n % 16 == 15) cop_raise("in the agent");
    *(uint64_t *)state += n;
    if (result != NULL) memcpy(result, state, sizeof(uint64_t));
}

static void do_agent(const command *order)
{
    uint64_t value = 0;
    cop_dest to = some_dest(order->a & 7, order->a >> 3);
    switch (order->b % 5) {
    case 0: {
        cop_started started = cop_agent_start(&value, sizeof value, some_name(order->c));
        world_add_pid(started.pid);
        cop_reason_unref(started.reason);
        break;
    }
    case 1: cop_agent_get_and_update(to, add, &order->d, 1, &value, sizeof value, 30); break;
    case 2: cop_agent_update(to, add, &order->d, 1, 30); break;
    case 3: cop_agent_cast(to, add, &order->d, 1); break;
    default: cop_agent_stop(to, some_reason(order->c), 30); break;
    }
}

static void do_application(const command *order)
{
    static const cop_child_spec children[] = {
        { .id = "x", .start = cop_child_function, .module = COP_FUNCTION(actor_function) },
    };
    static const cop_supervisor tree = { COP_CHILDREN(children) };
    static const char *const needs[] = { "one", NULL }, *const circle[] = { "three", NULL };
    static const cop_application applications[] = {
        { .name = "one", .supervisor = &tree, .shutdown_ms = 20 },
        { .name = "two", .applications = needs, .supervisor = &tree, .shutdown_ms = 20 },
        { .name = "three", .applications = circle },
    };
    const cop_application *application = &applications[order->a % 3];
    cop_application_info *list = NULL;
    size_t count;
    enum cop_restart type = (order->b & 1) != 0 ? COP_TRANSIENT : COP_TEMPORARY;
    cop_started started = { 0 };
    switch (order->c % 6) {
    case 0: case 1: cop_application_load(application); break;
    case 2: started = cop_application_start(application->name, type); break;
    case 3: started = cop_application_ensure_all_started(application->name, type); break;
    case 4: cop_application_stop(application->name); break;
    default:
        if (cop_application_which(&list, &count) == COP_OK) cop_free(list);
        cop_application_unload(application->name);
        break;
    }
    if (started.error == COP_OK) world_add_pid(started.pid);
    cop_reason_unref(started.reason);
}

const struct named_operation work_operations[] = {
    { "server", do_server }, { "call", do_call }, { "cast", do_cast }, { "answer", do_answer },
    { "sys", do_sys }, { "task", do_task }, { "await", do_await },
    { "await many", do_await_many }, { "stream", do_stream },
    { "task supervisor", do_task_supervisor }, { "registry", do_registry },
    { "registry again", do_registry }, { "mutex", do_mutex }, { "agent", do_agent },
    { "application", do_application },
};
const unsigned work_operation_count = sizeof work_operations / sizeof *work_operations;
