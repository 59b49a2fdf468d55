/* payment.c - PaymentProcessor: hands each invoice to a task of its own.
 *
 * The task posts the payment and answers the customer itself.  The processor waits for none of
 * them; it monitors the tasks, and tells the customer to try again when one crashed. */
#include "database_pool.h"
#include "notification.h"
#include "tree.h"

enum {
    TASKS_MAX = 256,     /* at work at once; who comes then is told to try again */
    QUEUE_MAX = 32,      /* requests that wait; who comes then hears so at once (COP_EFULL) */
    BANK_MS = 20         /* what the bank may take to answer, in virtual time */
};

/* ---- a payment ------------------------------------------------------------------------- */

struct payment {
    struct order order;
    cop_from from;
};

static cop_message *make_payment(void *argument)
{
    const struct payment *payment = argument;
    cop_limit_memory(WORKER_MEMORY);
    cop_set_label("a payment's task");
    cop_sleep(1 + (int64_t)cop_random_below(BANK_MS));
    enum outcome outcome = database_pool_post(&payment->order);
    cop_answer(payment->from, process_invoice, .outcome = outcome);
    if (outcome != TRY_AGAIN) notification_send_receipt(&payment->order);
    return NULL;
}

/* ---- the processor --------------------------------------------------------------------- */

struct processor {
    struct { cop_ref monitor; cop_from from; } tasks[TASKS_MAX];
    size_t count;
};

static cop_next handle_call(void *state, const cop_message *request, cop_from from)
{
    struct processor *processor = state;
    const process_invoice *invoice = cop_expect(request, process_invoice);
    fault_point(invoice->order.fault, IN_PROCESSOR);
    if (processor->count == TASKS_MAX) return cop_reply(process_invoice, .outcome = TRY_AGAIN);

    struct payment payment = { invoice->order, from };
    cop_started task = cop_task_supervisor_start_child(cop_to(PaymentTaskSupervisor.name),
                                                       make_payment, &payment, sizeof payment);
    if (task.error != 0) {
        cop_reason_unref(task.reason);
        return cop_reply(process_invoice, .outcome = TRY_AGAIN);
    }
    processor->tasks[processor->count].monitor = cop_monitor(task.pid);
    processor->tasks[processor->count++].from = from;
    return cop_noreply();
}

/* A task ended.  If it had answered its customer, this answer is too late and goes nowhere. */
static cop_next handle_info(void *state, const cop_message *message)
{
    struct processor *processor = state;
    const cop_down_message *down = cop_expect(message, cop_down_message);
    for (size_t i = 0; i < processor->count; i++) {
        if (!cop_ref_equal(processor->tasks[i].monitor, down->ref)) continue;
        cop_answer(processor->tasks[i].from, process_invoice, .outcome = TRY_AGAIN);
        processor->tasks[i] = processor->tasks[--processor->count];
        break;
    }
    return cop_noreply();
}

const cop_gen_server PaymentProcessor = {
    .name = "PaymentProcessor",
    .state_size = sizeof(struct processor),
    .handle_call = handle_call,
    .handle_info = handle_info,
    .max_memory = WORKER_MEMORY,
    .mailbox = { QUEUE_MAX, COP_MAILBOX_FAIL },
};
