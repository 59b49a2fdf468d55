/* notification.h - sending receipts. */
#ifndef FINANCIAL_NOTIFICATION_H
#define FINANCIAL_NOTIFICATION_H

#include "messages.h"

/* A receipt that went out; sent to the process called FRONT_NAME. */
COP_MESSAGE(receipt_sent, COP_EMPTY);

/* [process] Has a receipt sent, some time; does not wait.  One that is in the mailbox of a
 * service that crashes is lost: what must not be lost is in the ledger. */
void notification_send_receipt(const struct order *order);

#endif
