/* sim_fault.c - a simulation's faults from outside of the program: the system refuses, the clock
 * jumps, messages pour in, what a process has called does not return. */
#include <stdlib.h>

#include "../platform/interrupt.h"
#include "node.h"
#include "queue.h"
#include "sim_state.h"

enum { NS_OF_MS = 1000000, VICTIMS = 1 << 16 };

/* ---- refusals -------------------------------------------------------------------------- */

static bool strikes_here(enum cop_sim_kind kind, struct process *process)
{
    int64_t none;
    if (!copi_sim_draw(kind, 1, &none))
        return false;
    copi_sim_note(kind, 0, copi_pid(process));
    return true;
}

bool copi_sim_refuses(enum scarce what, bool needed)
{
    static const enum cop_sim_kind kinds[SCARCE_KINDS] = {
        [SCARCE_MEMORY] = COP_SIM_NO_HEAP,
        [SCARCE_DESCRIPTOR] = COP_SIM_NO_DESCRIPTOR,
        [SCARCE_THREAD] = COP_SIM_NO_THREAD,
    };
    struct process *self = copi_self();
    return self != NULL && !needed && copi_sim_strikes(self) && strikes_here(kinds[what], self);
}

bool copi_sim_stackless(struct process *process)
{
    return copi_sim_strikes(process) && strikes_here(COP_SIM_NO_HEAP, process);
}

/* ---- the end of a process -------------------------------------------------------------- */

/* The library's own actions call nothing that crashes, and neither does the C library's free. */
bool copi_sim_cleanup_crashes(struct process *process, cop_cleanup *action)
{
    bool spared = (process->flags & PROCESS_SPARED) != 0 ||
                  cop_pid_equal(copi_pid(process), copi_node.main);
    if (spared || action == free || copi_is_own_code((uintptr_t)action))
        return false;
    return strikes_here(COP_SIM_CLEANUP, process);
}

/* ---- between two turns ----------------------------------------------------------------- */

const cop_message_type cop_type_cop_sim_burst = { "cop_sim_burst", sizeof(cop_sim_burst), NULL };

/* The value says who, and how many. */
static void burst(void)
{
    int64_t value;
    if (!copi_sim_draw(COP_SIM_BURST, (uint64_t)copi_sim.options.burst * VICTIMS, &value))
        return;
    struct process *process = copi_sim_victim((uint64_t)value % VICTIMS);
    if (process == NULL)
        return;
    cop_pid pid = copi_pid(process);
    copi_sim_note(COP_SIM_BURST, value, pid);
    for (int64_t i = 0; i <= value / VICTIMS; i++)
        cop_send_message(cop_to_pid(pid), cop_message_new(&cop_type_cop_sim_burst, NULL, 0));
}

void copi_sim_strike(void)
{
    int64_t value;
    if (copi_sim_draw(COP_SIM_JUMP, (uint64_t)(copi_sim.options.jump_ms * NS_OF_MS), &value)) {
        copi_sim_note(COP_SIM_JUMP, value, COP_NO_PID);
        copi_node.virtual_ns += value;
    }
    burst();
}

/* ---- those who are away ---------------------------------------------------------------- */

bool copi_sim_hangs(struct process *process)
{
    int64_t value;
    if (!copi_sim_strikes(process) || atomic_load(&process->doomed) ||
        copi_sim.hung_count == COPI_SIM_HUNG_MAX ||
        !copi_sim_draw(COP_SIM_HANG, (uint64_t)(copi_sim.options.hang_ms * NS_OF_MS), &value))
        return false;
    copi_sim_note(COP_SIM_HANG, value, copi_pid(process));
    copi_sim.hung[copi_sim.hung_count++] =
        (struct sim_hung){ process, copi_node.virtual_ns + value };
    return true;
}

void copi_sim_return(struct scheduler *scheduler)
{
    for (size_t i = copi_sim.hung_count; i > 0; i--) {
        struct sim_hung *hung = &copi_sim.hung[i - 1];
        bool returns = copi_sim.over || hung->until_ns <= copi_node.virtual_ns ||
                       atomic_load(&hung->process->doomed);
        if (!returns)
            continue;
        copi_run_queue_put(&scheduler->queue, hung->process);
        *hung = copi_sim.hung[--copi_sim.hung_count];
    }
}

bool copi_sim_returns(struct scheduler *scheduler, int64_t first_ns)
{
    int64_t until_ns = COPI_NEVER;
    for (size_t i = 0; i < copi_sim.hung_count; i++)
        if (copi_sim.hung[i].until_ns < until_ns)
            until_ns = copi_sim.hung[i].until_ns;
    if (copi_run_queue_length(&scheduler->queue) > 0)
        return true;
    if (until_ns == COPI_NEVER || until_ns > first_ns)
        return false;
    if (until_ns > copi_node.virtual_ns)
        copi_node.virtual_ns = until_ns;
    copi_sim_return(scheduler);
    return true;
}
