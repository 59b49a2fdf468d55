/* 06_basic_supervisor.c - A supervisor with one worker that crashes now and then: callers see
 * an error once, then it works again. */
#include "cast.h"

enum status { COMPLETED = 1 };
COP_CALL(process_invoice, { int id; int64_t amount_cents; }, { int id; enum status status; });

static cop_next handle_call(void *state, const cop_message *request, cop_from from)
{
    (void)state, (void)from;
    const process_invoice *invoice = cop_expect(request, process_invoice);
    if (cop_random_unit() > 0.7)                     /* might crash: 30 % of the time */
        cop_raise("Processing failed");
    return cop_reply(process_invoice, .id = invoice->id, .status = COMPLETED);
}

static const cop_gen_server invoice_processor = {
    .name = "invoice_processor", .handle_call = handle_call,
};

static const cop_child_spec children[] = { COP_CHILD_SERVER(invoice_processor) };
static const cop_supervisor invoice_supervisor = {
    .name = "invoice_supervisor", .strategy = COP_ONE_FOR_ONE, COP_CHILDREN(children),
};

/* ---- on stage ---- */

static void story(void *argument)
{
    (void)argument;
    cop_must(cop_supervisor_start_link(&invoice_supervisor).error);
    for (int id = 1; id <= 8; id++) {
        process_invoice_reply result;
        int error = cop_call("invoice_processor", &result, process_invoice, .id = id,
                             .amount_cents = 10000);
        printf("invoice %d: %s\n", id, error == 0 ? "completed" : cop_error_text(error));
        cop_sleep(2000);                             /* the supervisor has restarted it by now */
    }
}

PLAY(story)
