/* request.h - a request: one line of the day's business, and how its parts are written.
 *
 * Plain data: no process, no database.  Amounts are whole cents in an int64_t. */
#ifndef FINANCIAL_REQUEST_H
#define FINANCIAL_REQUEST_H

#include <stddef.h>
#include <stdint.h>

enum request_kind { INVOICE, DONATION, REQUEST_KINDS };

enum {
    REQUEST_ID_BYTES = 24,       /* of an id, with its final NUL */
    REQUEST_PARTY_BYTES = 64,    /* of a name, with its final NUL */
    REQUEST_TEXT_BYTES = 32      /* for any of the texts below */
};

/* The largest amount, in cents.  REQUESTS_MAX of them still add up in an int64_t. */
#define REQUEST_CENTS_MAX INT64_C(999999999999)
enum { REQUESTS_MAX = 1000000 };

struct request {
    char id[REQUEST_ID_BYTES];          /* unique in the day */
    char party[REQUEST_PARTY_BYTES];    /* who pays */
    int64_t cents;                      /* more than 0 */
    int32_t second;                     /* of the day, when it comes */
    enum request_kind kind;
};

/* "invoice" or "donation", as in the file and in the ledger. */
const char *request_kind_name(enum request_kind kind);

/* Texts for people, each into a buffer of REQUEST_TEXT_BYTES, which is returned:
 * a time of day 09:30:05, a count 10,000, an amount 1,234.50. */
char *format_clock(int32_t second, char *buffer);
char *format_count(uint64_t count, char *buffer);
char *format_cents(int64_t cents, char *buffer);

#endif
