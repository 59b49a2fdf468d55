/* donation.c - DonationProcessor takes donations in, DonationWorker books them.
 *
 * The processor waits for the worker, so donations are booked one after the other.  A
 * worker's crash is the processor's answer, not its end: the customer is told to try again. */
#include "database_pool.h"
#include "notification.h"
#include "tree.h"

enum {
    BOOKING_MS = 5,      /* what the worker may take before it writes, in virtual time */
    QUEUE_MAX = 32       /* donations that wait; who comes then hears so at once (COP_EFULL) */
};

/* ---- the processor --------------------------------------------------------------------- */

static cop_next processor_handle_call(void *state, const cop_message *request, cop_from from)
{
    (void)state;
    (void)from;
    const process_donation *donation = cop_expect(request, process_donation);
    fault_point(donation->order.fault, IN_PROCESSOR);

    book_donation_reply booked;
    int error = cop_call("DonationWorker", &booked, book_donation, .order = donation->order);
    return cop_reply(process_donation, .outcome = error == 0 ? booked.outcome : TRY_AGAIN);
}

const cop_gen_server DonationProcessor = {
    .name = "DonationProcessor",
    .handle_call = processor_handle_call,
    .max_memory = WORKER_MEMORY,
    .mailbox = { QUEUE_MAX, COP_MAILBOX_FAIL },
};

/* ---- the worker ------------------------------------------------------------------------ */

static cop_next worker_handle_call(void *state, const cop_message *request, cop_from from)
{
    (void)state;
    (void)from;
    const book_donation *donation = cop_expect(request, book_donation);
    cop_sleep(1 + (int64_t)cop_random_below(BOOKING_MS));
    enum outcome outcome = database_pool_post(&donation->order);
    if (outcome != TRY_AGAIN) notification_send_receipt(&donation->order);
    return cop_reply(book_donation, .outcome = outcome);
}

const cop_gen_server DonationWorker = {
    .name = "DonationWorker",
    .handle_call = worker_handle_call,
    .max_memory = WORKER_MEMORY,
};
