/* database_pool.h - writing to the ledger, for the workers. */
#ifndef FINANCIAL_DATABASE_POOL_H
#define FINANCIAL_DATABASE_POOL_H

#include "messages.h"

/* [any thread] The ledger's file, which must stay valid; said before the tree is started. */
void database_pool_use(const char *path);

/* [process] [may block] Posts a request and waits until it is committed; meets the request's
 * fault before, during or after.  TRY_AGAIN when the database went away. */
enum outcome database_pool_post(const struct order *order);

#endif
