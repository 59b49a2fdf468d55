/* tree.c - operations on supervisors of all kinds, right and wrong. */
#include "world.h"

/* ---- specs ----------------------------------------------------------------------------- */

static const char *some_id(uint8_t byte)
{
    static const char *const ids[] = { "a", "b", "c", "d", "e", "top", "0", "1", "", NULL };
    return ids[byte % (sizeof ids / sizeof *ids)];
}

static cop_started starts_nothing(const void *module, const void *argument, size_t size)
{
    (void)module;
    (void)argument;
    return (cop_started){ .error = size == 0 ? COP_EIGNORED : COP_EFAILED,
                          .reason = size == 0 ? NULL : cop_reason_atom("nothing") };
}

static const cop_child_spec inner_children[] = {
    { .id = "x", .start = cop_child_function, .module = COP_FUNCTION(actor_function) },
    { .id = "y", .start = cop_child_server, .module = &actor_server, .restart = COP_TRANSIENT },
};
static const cop_supervisor inner = { .strategy = COP_ONE_FOR_ALL, COP_CHILDREN(inner_children) };
static const cop_dynamic_supervisor inner_dynamic = { .name = "dynamic" };

/* a: what it is; b: when it is started and stopped; c: its argument. */
cop_child_spec some_spec(uint8_t a, uint8_t b, uint8_t c)
{
    static const cop_shutdown shutdowns[] = { { 0 }, COP_BRUTAL_KILL, COP_SHUTDOWN_MS(0),
                                              COP_SHUTDOWN_MS(25), COP_SHUTDOWN_MS(200),
                                              COP_SHUTDOWN_INFINITY,
                                              { COP_SHUTDOWN_WAIT, -1 }, { 9, 0 } };
    uint8_t *argument = cop_alloc(1);
    *argument = c;
    cop_child_spec spec = { .id = some_id(a), .start = cop_child_function,
                            .module = COP_FUNCTION(actor_function), .argument = argument,
                            .argument_size = 1, .restart = (enum cop_restart)(b & 3),
                            .shutdown = shutdowns[b >> 2 & 7], .significant = (b & 32) != 0 };
    switch (a >> 4) {
    case 0: case 1: case 2: case 3:
        spec.start = cop_child_server;
        spec.module = &actor_server;
        break;
    case 4:
        spec.start = cop_child_supervisor;
        spec.module = &inner;
        spec.type = COP_SUPERVISOR;
        break;
    case 5:
        spec.start = cop_child_dynamic_supervisor;
        spec.module = &inner_dynamic;
        spec.type = COP_SUPERVISOR;
        break;
    case 6: spec.start = starts_nothing; spec.argument_size = c & 1; break;
    case 7: spec.start = NULL; break;
    case 8: spec.backoff = (cop_backoff){ .initial_ms = 5, .jitter_percent = c % 128 }; break;
    case 9: spec.budget = (cop_intensity)COP_MAX_RESTARTS(1, 2);
            spec.when_spent = (enum cop_spent)(c & 1); break;
    case 10: spec.ready_ms = 20; break;
    case 11: spec.drain_ms = 20; break;
    case 12: spec.probe = (cop_probe){ .interval_ms = 15, .timeout_ms = c & 15 }; break;
    case 13: spec.type = COP_SUPERVISOR; break;
    case 14: spec.start = cop_child_server; spec.module = &actor_server; spec.drain_ms = 20;
             spec.ready_ms = 30; break;
    default: break;
    }
    return spec;
}

/* ---- static supervisors ---------------------------------------------------------------- */

static void done(cop_started started)
{
    MUST(started.error <= 0, "%d", started.error);
    MUST(started.reason == NULL || started.error != COP_OK, "a reason for success");
    if (started.error == COP_OK) world_add_pid(started.pid);
    cop_reason_unref(started.reason);
}

static void do_supervisor(const command *order)
{
    cop_child_spec specs[4];
    for (uint8_t i = 0; i < 4; i++)
        specs[i] = some_spec((uint8_t)(order->b * (i + 1) + i), (uint8_t)(order->c * (i + 1)),
                             (uint8_t)(order->d >> i));
    cop_supervisor supervisor = {
        .name = (order->a & 4) != 0 ? "top" : NULL,
        .strategy = (enum cop_strategy)(order->a & 3), .children = specs,
        .child_count = order->a >> 3 & 3,
        .auto_shutdown = (enum cop_auto_shutdown)(order->a >> 5 & 3),
        .intensity = COP_MAX_RESTARTS(order->d & 3, order->d >> 2 & 7),
    };
    if ((order->a & 128) != 0)
        done(cop_supervisor_start_link(&supervisor));
    else
        done(cop_supervisor_start_opt(&supervisor, &(cop_start_options){ .link = false }));
}

static void do_start_child(const command *order)
{
    cop_child_spec spec = some_spec(order->b, order->c, order->d);
    done(cop_supervisor_start_child(some_dest(order->a & 7, order->a >> 3), &spec));
}

static void do_child(const command *order)
{
    cop_dest to = some_dest(order->a & 7, order->a >> 3);
    const char *id = some_id(order->b);
    cop_pid pid;
    switch (order->c % 5) {
    case 0: MUST(cop_supervisor_terminate_child(to, id) <= 0, "%s", id); break;
    case 1: done(cop_supervisor_restart_child(to, id)); break;
    case 2: MUST(cop_supervisor_delete_child(to, id) <= 0, "%s", id); break;
    case 3: MUST(cop_supervisor_await_restart(to, id, some_pid(order->d), 40, &pid) <= 0, "%s", id);
            break;
    default: cop_exit_process(cop_resolve(to), some_reason(order->d)); break;
    }
}

static void check_counts(const cop_child_counts *counts)
{
    MUST(counts->active <= counts->specs, "%zu of %zu", counts->active, counts->specs);
    MUST(counts->supervisors + counts->workers == counts->specs, "%zu and %zu of %zu",
         counts->supervisors, counts->workers, counts->specs);
}

static void check_children(cop_child_info *children, size_t count)
{
    for (size_t i = 0; i < count; i++)
        MUST((children[i].state == COP_CHILD_UP) == !cop_pid_is_none(children[i].pid),
             "state %d", children[i].state);
    cop_free(children);
}

static void do_ask(const command *order)
{
    cop_dest to = some_dest(order->a & 7, order->a >> 3);
    cop_child_info *children = NULL;
    size_t count = 0;
    cop_child_counts counts;
    cop_child_status status;
    cop_child_spec *spec = NULL;
    if (cop_supervisor_count_children(to, &counts) == COP_OK) check_counts(&counts);
    if (cop_supervisor_which_children(to, &children, &count) == COP_OK)
        check_children(children, count);
    if (cop_supervisor_which_child(to, some_id(order->b), &status) == COP_OK) {
        MUST((status.state == COP_CHILD_UP) == !cop_pid_is_none(status.pid), "%d", status.state);
        cop_reason_unref(status.last_end);
    }
    if (cop_supervisor_get_childspec(to, some_id(order->b), &spec) == COP_OK) cop_free(spec);
}

static void do_stop(const command *order)
{
    cop_dest to = some_dest(order->a & 7, order->a >> 3);
    cop_straggler *stragglers = NULL;
    size_t count = 0;
    switch (order->b % 3) {
    case 0: cop_stop_process(to, some_reason(order->c), some_ms(order->d)); break;
    case 1: cop_supervisor_stop(to, some_reason(order->c)); break;
    default:
        cop_supervisor_stop_within(to, some_reason(order->c), some_ms(order->d), &stragglers,
                                   &count);
        for (size_t i = 0; i < count; i++)
            MUST(stragglers[i].path != NULL && stragglers[i].path[0] != '\0', "no path");
        cop_free(stragglers);
        break;
    }
}

/* ---- dynamic and partitioned ones ------------------------------------------------------ */

static void do_dynamic(const command *order)
{
    cop_child_spec spec = some_spec(order->b, order->c, order->d);
    const cop_dynamic_supervisor supervisor = {
        .name = (order->a & 1) != 0 ? "dynamic" : NULL, .max_children = order->a >> 1 & 3,
        .template_ = (order->a & 8) != 0 ? &spec : NULL,
        .extra = &order->a, .extra_size = (order->a & 16) != 0 ? 1 : 0,
        .intensity = COP_MAX_RESTARTS(2, 3),
    };
    done(cop_dynamic_supervisor_start_opt(&supervisor,
                                          &(cop_start_options){ .link = (order->a & 32) != 0 }));
}

static void do_dynamic_child(const command *order)
{
    cop_dest to = some_dest(order->a & 7, order->a >> 3);
    cop_child_spec spec = some_spec(order->b, order->c, order->d), *found = NULL;
    cop_child_status status;
    cop_child_info *children = NULL;
    cop_child_counts counts;
    size_t count = 0;
    switch (order->d % 6) {
    case 0: case 1: done(cop_dynamic_supervisor_start_child(to, &spec)); break;
    case 2: done(cop_dynamic_supervisor_start_from(to, &order->c, order->b & 1)); break;
    case 3: cop_dynamic_supervisor_terminate_child(to, some_pid(order->b)); break;
    case 4:
        if (cop_dynamic_supervisor_which_child(to, some_pid(order->b), &status) == COP_OK)
            cop_reason_unref(status.last_end);
        if (cop_dynamic_supervisor_get_childspec(to, some_pid(order->b), &found) == COP_OK)
            cop_free(found);
        break;
    default:
        if (cop_dynamic_supervisor_which_children(to, &children, &count) == COP_OK)
            check_children(children, count);
        cop_dynamic_supervisor_count_children(to, &counts);
        break;
    }
}

static const cop_partition_supervisor parts_name = { .name = "parts" };

static void do_parts(const command *order)
{
    cop_child_spec spec = some_spec(order->b, order->c, order->d);
    const cop_partition_supervisor parts = { .name = "parts", .child = &spec,
                                             .partitions = order->a & 3,
                                             .strategy = (enum cop_strategy)(order->a >> 2 & 3) };
    done(cop_partition_supervisor_start_opt(&parts,
                                            &(cop_start_options){ .link = (order->a & 16) != 0 }));
}

static void do_part(const command *order)
{
    cop_child_info *children = NULL;
    size_t count = 0;
    unsigned before;
    cop_partition_supervisor_whereis(&parts_name, order->a);
    switch (order->b % 4) {
    case 0: cop_partition_supervisor_resize(&parts_name, order->c & 3, &before); break;
    case 1:
        if (cop_partition_supervisor_which_children(&parts_name, &children, &count) == COP_OK)
            cop_free(children);
        break;
    case 2: cop_partition_supervisor_stop(&parts_name, some_reason(order->d)); break;
    default: cop_send(cop_partition(&parts_name, order->c), command, .op = order->d); break;
    }
}

const struct named_operation tree_operations[] = {
    { "supervisor", do_supervisor }, { "start child", do_start_child }, { "child", do_child },
    { "ask", do_ask }, { "stop", do_stop }, { "dynamic", do_dynamic },
    { "dynamic child", do_dynamic_child }, { "parts", do_parts }, { "part", do_part },
    { "child again", do_child }, { "another child", do_start_child },
};
const unsigned tree_operation_count = sizeof tree_operations / sizeof *tree_operations;
