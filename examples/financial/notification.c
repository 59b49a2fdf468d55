/* notification.c - NotificationService: sends a receipt for each request that is done. */
#include "notification.h"

#include "front.h"
#include "tree.h"

enum { MAIL_MS = 2 };    /* what a receipt takes, in virtual time */

void notification_send_receipt(const struct order *order)
{
    cop_cast("NotificationService", send_receipt, .order = *order);
}

static cop_next handle_cast(void *state, const cop_message *message)
{
    (void)state;
    const send_receipt *receipt = cop_expect(message, send_receipt);
    fault_point(receipt->order.fault, IN_NOTIFICATION);
    cop_sleep(MAIL_MS);
    cop_send(FRONT_NAME, receipt_sent);
    return cop_noreply();
}

const cop_gen_server NotificationService = {
    .name = "NotificationService",
    .handle_cast = handle_cast,
    .max_memory = WORKER_MEMORY,
};
