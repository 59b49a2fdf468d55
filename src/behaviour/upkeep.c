/* upkeep.c - a child's timer, its restarts and its verdicts. */
#include "upkeep.h"

#include <assert.h>

#include <coppice/memory.h>
#include <coppice/runtime.h>

#include "clock.h"

bool copi_upkeep_wanted(const cop_child_spec *spec)
{
    return spec->backoff.initial_ms > 0 || spec->budget.set || spec->probe.interval_ms > 0;
}

void copi_upkeep_init(struct upkeep *upkeep, const cop_child_spec *spec)
{
    if (spec->budget.set) copi_window_init(&upkeep->budget, &spec->budget, cop_realloc);
}

void copi_upkeep_deinit(struct upkeep *upkeep)
{
    copi_upkeep_disarm(upkeep);
    cop_free(upkeep->budget.times);
    cop_reason_unref(upkeep->last_end);
}

/* ---- the timer --------------------------------------------------------------------- */

void copi_upkeep_arm(struct upkeep *upkeep, int64_t ms, cop_message *message)
{
    copi_upkeep_disarm(upkeep);
    if (ms < 0) {
        cop_message_free(message);
        return;
    }
    message->kind = COP_CAST;
    upkeep->timer = cop_send_after_message(cop_to(cop_self()), ms, message);
    if (cop_ref_equal(upkeep->timer, COP_NO_REF)) cop_raise("enomem");
}

void copi_upkeep_disarm(struct upkeep *upkeep)
{
    if (!cop_ref_equal(upkeep->timer, COP_NO_REF)) cop_cancel_timer(upkeep->timer);
    upkeep->timer = COP_NO_REF;
}

bool copi_upkeep_due(struct upkeep *upkeep, const cop_message *message)
{
    if (message->ref != upkeep->timer.serial) return false;
    upkeep->timer = COP_NO_REF;
    return true;
}

/* ---- restarts ---------------------------------------------------------------------- */

void copi_upkeep_started(struct upkeep *upkeep, const cop_child_spec *spec, bool first)
{
    upkeep->up_ns = cop_now_ns();
    upkeep->ready = spec->ready_ms == 0;
    upkeep->asked = false;
    upkeep->verdict = NULL;
    if (!first) upkeep->restarts++;
}

const cop_reason *copi_upkeep_ended(struct upkeep *upkeep, const cop_child_spec *spec,
                                    const cop_reason *reason)
{
    copi_upkeep_disarm(upkeep);
    cop_reason_ref(reason);
    if (upkeep->verdict != NULL && cop_reason_is(reason, "killed"))
        reason = cop_reason_because(reason, cop_reason_atom(upkeep->verdict));
    cop_reason_unref(upkeep->last_end);
    upkeep->last_end = reason;
    int64_t ran_ms = (cop_now_ns() - upkeep->up_ns) / COPI_MS_NS;
    if (ran_ms >= copi_backoff_reset_ms(&spec->backoff)) upkeep->in_a_row = 0;
    return reason;
}

int64_t copi_upkeep_delay(struct upkeep *upkeep, const cop_child_spec *spec)
{
    uint32_t before = upkeep->in_a_row;
    if (upkeep->in_a_row < UINT32_MAX) upkeep->in_a_row++;
    uint64_t chance = spec->backoff.jitter_percent > 0 ? cop_random() : 0;
    return copi_backoff_ms(&spec->backoff, before, chance);
}

void copi_upkeep_tell(struct upkeep *upkeep, const cop_child_spec *spec,
                      struct ended_child *ret_ended)
{
    ret_ended->delayed = spec->backoff.initial_ms > 0;
    ret_ended->budget = spec->budget.set ? &upkeep->budget : NULL;
    ret_ended->when_spent = spec->when_spent;
}

/* ---- verdicts ---------------------------------------------------------------------- */

void copi_upkeep_condemn(struct upkeep *upkeep, cop_pid pid)
{
    upkeep->verdict = upkeep->ready ? "unresponsive" : "not_ready";
    cop_exit_process(pid, COP_KILL);
}

void copi_upkeep_ask(struct upkeep *upkeep, cop_pid pid)
{
    cop_message *probe = cop_new(cop_probe_message, 0);
    probe->kind = COP_SYSTEM;
    cop_send_message(cop_to(pid), probe);
    upkeep->asked = true;
}

/* ---- asking ------------------------------------------------------------------------ */

void copi_upkeep_status(const struct upkeep *upkeep, cop_child_status *ret_status)
{
    int64_t now_ns = cop_now_ns();
    ret_status->restarts = upkeep->restarts;
    if (ret_status->state == COP_CHILD_UP) {
        ret_status->ready = upkeep->ready;
        ret_status->running_ms = (now_ns - upkeep->up_ns) / COPI_MS_NS;
    } else if (ret_status->state == COP_CHILD_RESTARTING) {
        int64_t left_ms = cop_read_timer(upkeep->timer);
        ret_status->restart_in_ms = left_ms > 0 ? left_ms : 0;
    }
    ret_status->last_end = upkeep->last_end == NULL ? NULL : cop_reason_ref(upkeep->last_end);
}
