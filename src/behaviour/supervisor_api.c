/* supervisor_api.c - the caller's side of supervisors: starting them, asking them. */
#include <assert.h>
#include <string.h>

#include <coppice/memory.h>
#include <coppice/supervisor.h>

#include "child.h"
#include "clock.h"
#include "request.h"
#include "supervisor.h"

/* ---- starting ---------------------------------------------------------------------- */

/* The argument in memory of the caller's; its size. */
static struct supervisor_argument *make_argument(const struct supervisor_flags *from,
                                                 const cop_start_options *options,
                                                 size_t *ret_size)
{
    enum { UNIT = 16 };
    size_t specs_at = (options->argument_size + UNIT - 1) / UNIT * UNIT;
    size_t count = from->specs != NULL ? from->spec_count : 0;
    size_t size = sizeof(struct supervisor_argument) + specs_at +
                  copi_specs_room(from->specs, count);
    struct supervisor_argument *argument = cop_alloc(size);
    assert(from->size <= sizeof argument->flags);
    memcpy(&argument->flags, from->flags, from->size);
    argument->argument = options->argument;
    argument->argument_size = options->argument_size;
    if (options->argument_size > 0)
        memcpy(argument->bytes, options->argument, options->argument_size);
    argument->specs_at = specs_at;
    argument->spec_count = count;
    copi_specs_pack(argument->bytes + specs_at, from->specs, count);
    *ret_size = size;
    return argument;
}

cop_started copi_supervisor_start(const cop_gen_server *server,
                                  const struct supervisor_flags *flags,
                                  const cop_start_options *options)
{
    bool sound = flags->flags != NULL && options != NULL &&
                 (options->argument != NULL || options->argument_size == 0);
    if (!sound) return (cop_started){ COP_EINVAL, COP_NO_PID, NULL };
    if (cop_pid_is_none(cop_self())) return (cop_started){ COP_EOUTSIDE, COP_NO_PID, NULL };

    cop_start_options start = *options;
    struct supervisor_argument *argument = make_argument(flags, options, &start.argument_size);
    start.argument = argument;
    start.trap_exit = true;
    if (start.name == NULL) start.name = flags->name;
    cop_started started = cop_gen_server_start_opt(server, &start);
    cop_free(argument);
    return started;
}

_Noreturn void copi_supervisor_refuse(int error, const char *about, const char *fault,
                                      const char *id)
{
    const cop_reason *reason =
        id == NULL ? cop_reason_atom(fault) : cop_reason_tuple(fault, cop_reason_atom(id));
    cop_init_fail(error, COP_NO_PID, cop_reason_tuple(about, reason), COP_NORMAL);
}

cop_started cop_supervisor_start_opt(const cop_supervisor *supervisor,
                                     const cop_start_options *options)
{
    struct supervisor_flags flags = { .flags = supervisor, .size = sizeof *supervisor };
    if (supervisor != NULL) {
        flags.name = supervisor->name;
        flags.specs = supervisor->children;
        flags.spec_count = supervisor->child_count;
    }
    return copi_supervisor_start(&copi_supervisor_server, &flags, options);
}

cop_started cop_child_server(const void *module, const void *argument, size_t argument_size)
{
    return cop_gen_server_start_link(module, .argument = argument,
                                     .argument_size = argument_size);
}

cop_started cop_child_supervisor(const void *module, const void *argument, size_t argument_size)
{
    return cop_supervisor_start_link(module, .argument = argument,
                                     .argument_size = argument_size);
}

cop_started cop_child_function(const void *module, const void *argument, size_t argument_size)
{
    return cop_start_link((cop_function *)(uintptr_t)module, argument, argument_size);
}

/* ---- asking ------------------------------------------------------------------------ */

static cop_started refused(void)
{
    return (cop_started){ COP_EINVAL, COP_NO_PID, NULL };
}

cop_started cop_supervisor_start_child(cop_dest supervisor, const cop_child_spec *spec)
{
    if (spec == NULL) return refused();
    /* What depends on its flags, only the supervisor knows. */
    const char *fault = spec->id == NULL
                            ? "missing_id"
                            : copi_spec_fault(spec, COP_ONE_FOR_ONE, COP_ANY_SIGNIFICANT);
    if (fault != NULL) return copi_spec_refused(fault, spec->id);
    return copi_request_started(supervisor,
                                copi_message_with_spec(COP_TYPE(copi_start_child), spec));
}

cop_started cop_supervisor_restart_child(cop_dest supervisor, const char *id)
{
    if (id == NULL) return refused();
    return copi_request_started(supervisor, copi_request_by_id(COP_TYPE(copi_restart_child), id));
}

int cop_supervisor_terminate_child(cop_dest supervisor, const char *id)
{
    if (id == NULL) return COP_EINVAL;
    return copi_request_done(supervisor, copi_request_by_id(COP_TYPE(copi_terminate_child), id));
}

int cop_supervisor_delete_child(cop_dest supervisor, const char *id)
{
    if (id == NULL) return COP_EINVAL;
    return copi_request_done(supervisor, copi_request_by_id(COP_TYPE(copi_delete_child), id));
}

/* The children of a reply as one block: the table, then the ids. */
static cop_child_info *copy_children(const cop_message *reply)
{
    const copi_children *payload = cop_expect(reply, copi_children);
    if (payload->count == 0) return NULL;
    size_t size = reply->size - sizeof *payload;
    cop_child_info *block = memcpy(cop_alloc(size), payload->children, size);
    for (size_t i = 0; i < payload->count; i++) {
        if (block[i].id == NULL) continue;
        size_t offset = (size_t)(block[i].id - (const char *)payload->children);
        block[i].id = (const char *)block + offset;
    }
    return block;
}

int cop_supervisor_which_children(cop_dest supervisor, cop_child_info **ret_children,
                                  size_t *ret_count)
{
    if (ret_children == NULL || ret_count == NULL) return COP_EINVAL;
    cop_message *reply;
    int error = copi_request(supervisor, cop_new(copi_which_children, 0), COP_TYPE(copi_children),
                             &reply, NULL);
    if (error != COP_OK) return error;
    *ret_children = copy_children(reply);
    *ret_count = cop_expect(reply, copi_children)->count;
    cop_message_free(reply);
    return COP_OK;
}

int cop_supervisor_count_children(cop_dest supervisor, cop_child_counts *ret_counts)
{
    if (ret_counts == NULL) return COP_EINVAL;
    cop_message *reply;
    int error = copi_request(supervisor, cop_new(copi_count_children, 0), COP_TYPE(copi_counts),
                             &reply, NULL);
    if (error != COP_OK) return error;
    *ret_counts = cop_expect(reply, copi_counts)->counts;
    cop_message_free(reply);
    return COP_OK;
}

int copi_request_status(cop_dest supervisor, cop_message *request, cop_child_status *ret_status)
{
    cop_message *reply;
    int error = copi_request(supervisor, request, COP_TYPE(copi_status), &reply, NULL);
    if (error != COP_OK) return error;
    *ret_status = cop_expect(reply, copi_status)->status;
    if (ret_status->last_end != NULL) cop_reason_ref(ret_status->last_end);
    cop_message_free(reply);
    return COP_OK;
}

int cop_supervisor_which_child(cop_dest supervisor, const char *id, cop_child_status *ret_status)
{
    if (id == NULL || ret_status == NULL) return COP_EINVAL;
    return copi_request_status(supervisor, copi_request_by_id(COP_TYPE(copi_which_child), id),
                               ret_status);
}

int copi_request_spec(cop_dest supervisor, cop_message *request, cop_child_spec **ret_spec)
{
    cop_message *reply;
    int error = copi_request(supervisor, request, COP_TYPE(copi_childspec), &reply, NULL);
    if (error != COP_OK) return error;
    const cop_child_spec *spec = &cop_expect(reply, copi_childspec)->spec;
    copi_childspec *block = cop_alloc(sizeof *block + copi_spec_room(spec));
    copi_spec_copy(&block->spec, spec, block + 1);
    cop_message_free(reply);
    *ret_spec = &block->spec;
    return COP_OK;
}

int cop_supervisor_get_childspec(cop_dest supervisor, const char *id, cop_child_spec **ret_spec)
{
    if (id == NULL || ret_spec == NULL) return COP_EINVAL;
    return copi_request_spec(supervisor, copi_request_by_id(COP_TYPE(copi_get_childspec), id),
                             ret_spec);
}

int cop_supervisor_await_restart(cop_dest supervisor, const char *id, cop_pid old,
                                 int64_t timeout_ms, cop_pid *ret_pid)
{
    if (id == NULL || timeout_ms < COP_INFINITY) return COP_EINVAL;
    cop_message *reply;
    int error = cop_call_message(supervisor, copi_request_await(id, old, copi_after_ms(timeout_ms)),
                                 timeout_ms, &reply, NULL);
    if (error != COP_OK) return error;
    const copi_done *refused = cop_get(reply, copi_done);
    const copi_started *answer = cop_get(reply, copi_started);
    error = refused != NULL ? refused->error : answer != NULL ? answer->started.error : COP_EREPLY;
    if (error == COP_OK && ret_pid != NULL) *ret_pid = answer->started.pid;
    cop_message_free(reply);
    return error;
}

int cop_supervisor_stop(cop_dest supervisor, const cop_reason *reason)
{
    return cop_stop_process(supervisor, reason, COP_INFINITY);
}
