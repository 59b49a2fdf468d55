/* messages.h - what the processes of the application say to each other. */
#ifndef FINANCIAL_MESSAGES_H
#define FINANCIAL_MESSAGES_H

#include <coppice/coppice.h>

#include "faults.h"
#include "request.h"

enum outcome {
    TRY_AGAIN,            /* it may or may not be in the ledger: send it again */
    POSTED,               /* it is in the ledger now */
    POSTED_BEFORE         /* it was there already, from an earlier try */
};

/* A request on its way, with the fault that it is to meet. */
struct order {
    struct request request;
    struct fault fault;
};

/* A customer -> PaymentProcessor, DonationProcessor. */
COP_CALL(process_invoice, { struct order order; }, { enum outcome outcome; });
COP_CALL(process_donation, { struct order order; }, { enum outcome outcome; });

/* DonationProcessor -> DonationWorker. */
COP_CALL(book_donation, { struct order order; }, { enum outcome outcome; });

/* A worker -> DatabasePool; as a cast it has no answer. */
COP_CALL(post_entry, { struct order order; }, { enum outcome outcome; });

/* A worker -> NotificationService. */
COP_MESSAGE(send_receipt, { struct order order; });

#endif
