/* customer.c - sends a request again and again until it is in the ledger.
 *
 * Nobody knows whether a request whose worker crashed was written or not.  The customer need
 * not know either: the ledger takes each id once. */
#include "customer.h"

enum { FIRST_PAUSE_MS = 25, LONGEST_PAUSE_MS = 1600 };    /* virtual time between two tries */

static enum outcome bring(const struct order *order)
{
    if (order->request.kind == INVOICE) {
        process_invoice_reply reply;
        int error = cop_call("PaymentProcessor", &reply, process_invoice, .order = *order);
        return error == 0 ? reply.outcome : TRY_AGAIN;
    }
    process_donation_reply reply;
    int error = cop_call("DonationProcessor", &reply, process_donation, .order = *order);
    return error == 0 ? reply.outcome : TRY_AGAIN;
}

void customer(void *argument)
{
    const struct errand *errand = argument;
    struct order order = { errand->request, errand->plan.fault };
    int64_t pause_ms = FIRST_PAUSE_MS;
    unsigned tries = 0;
    for (;;) {
        if (tries == errand->plan.strikes) order.fault.place = NOWHERE;
        enum outcome outcome = bring(&order);
        tries++;
        if (outcome != TRY_AGAIN) {
            cop_send(errand->front, served, .outcome = outcome, .tries = tries);
            return;
        }
        cop_sleep(pause_ms + (int64_t)cop_random_below(FIRST_PAUSE_MS));
        if (pause_ms < LONGEST_PAUSE_MS) pause_ms *= 2;
    }
}
