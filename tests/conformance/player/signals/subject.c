/* subject.c - a process of a history: does what it is told, and notes what else it receives. */
#include <stdio.h>

#include <coppice/gen_server.h>

#include "history.h"
#include "note.h"

COP_CALL(carry_out, { struct order *order; }, COP_EMPTY);

/* ---- primitives: each fills in order->result --------------------------------------------- */

static void answer(struct order *order, const char *result)
{
    snprintf(order->result, sizeof order->result, "%s", result);
}

static void answer_truth(struct order *order, bool truth)
{
    answer(order, truth ? "true" : "false");
}

/* The error that OTP raises for it; link raises noproc, all others badarg. */
static void answer_error(struct order *order, int error, const char *raised)
{
    answer(order, error == COP_OK ? "ok" : raised);
}

static void do_spawn(struct subject *self, struct order *order)
{
    const struct step *step = order->step;
    struct subject *child = world_add(self->world, step->object, step->flag);
    cop_ref ref = COP_NO_REF;
    const cop_spawn_options options = { .link = step->kind == STEP_SPAWN_LINK,
                                        .monitor = step->kind == STEP_SPAWN_MONITOR,
                                        .ret_ref = &ref };
    child->pid = cop_spawn_opt(subject_run, child, 0, &options);
    answer(order, options.monitor ? world_bind_monitor(self->world, self->name, ref) : "ok");
}

static void do_monitor(struct subject *self, struct order *order, cop_dest target)
{
    answer(order, world_bind_monitor(self->world, self->name, cop_monitor(target)));
}

static void do_alias(struct subject *self, struct order *order)
{
    cop_ref alias = cop_alias(order->step->flag ? COP_ALIAS_REPLY : COP_ALIAS_EXPLICIT);
    answer(order, world_bind_alias(self->world, self->name, alias));
}

static void do_demonitor(struct order *order)
{
    answer_truth(order, order->step->flag ? cop_demonitor_flush(order->ref)
                                          : cop_demonitor(order->ref));
}

static void do_send(struct subject *self, struct order *order, cop_dest to)
{
    int error = cop_send(to, note, .from = self->name, .text = order->step->word);
    answer_error(order, error, "error:badarg");
}

/* Returns false if the process is to return. */
static bool perform(struct subject *self, struct order *order)
{
    const struct step *step = order->step;
    cop_pid object = order->object == NULL ? COP_NO_PID : order->object->pid;
    answer(order, "ok");
    switch (step->kind) {
    case STEP_SPAWN_LINK:
    case STEP_SPAWN_MONITOR: do_spawn(self, order); break;
    case STEP_LINK: answer_error(order, cop_link(object), "error:noproc"); break;
    case STEP_UNLINK: cop_unlink(object); break;
    case STEP_MONITOR: do_monitor(self, order, cop_to_pid(object)); break;
    case STEP_MONITOR_NAME: do_monitor(self, order, cop_to_name(step->name)); break;
    case STEP_DEMONITOR: do_demonitor(order); break;
    case STEP_TRAP: cop_trap_exit(step->flag); break;
    case STEP_EXIT: cop_exit(reason_from_word(step->word));
    case STEP_ERROR: cop_raise("%s", step->word);
    case STEP_RETURN: return false;
    case STEP_EXIT2: cop_exit_process(object, reason_from_word(step->word)); break;
    case STEP_SEND: do_send(self, order, cop_to_pid(object)); break;
    case STEP_REGISTER: answer_error(order, cop_register(step->name), "error:badarg"); break;
    case STEP_UNREGISTER: answer_error(order, cop_unregister(step->name), "error:badarg"); break;
    case STEP_SEND_NAME: do_send(self, order, cop_to_name(step->name)); break;
    case STEP_ALIAS: do_alias(self, order); break;
    case STEP_UNALIAS: answer_truth(order, cop_unalias(order->ref)); break;
    case STEP_SEND_ALIAS: do_send(self, order, cop_to_alias(order->ref)); break;
    case STEP_SPAWN:
    case STEP_WHEREIS:
    case STEP_ALIVE: break;      /* the driver's */
    }
    return true;
}

/* ---- the process ------------------------------------------------------------------------- */

void subject_run(void *argument)
{
    struct subject *self = argument;
    cop_trap_exit(self->trap);
    for (;;) {
        const cop_message *message = cop_receive(COP_INFINITY);
        const carry_out *told = cop_get(message, carry_out);
        if (told == NULL) {
            world_got(self->world, self, message);
            continue;
        }
        cop_from driver = { { message->from, message->ref } };
        if (!perform(self, told->order)) return;
        cop_answer(driver, carry_out, 0);
    }
}

bool subject_order(const struct subject *subject, struct order *order)
{
    return cop_call_timeout(subject->pid, COP_INFINITY, NULL, carry_out, .order = order) == COP_OK;
}
