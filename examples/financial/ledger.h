/* ledger.h - the ledger: an SQLite file with one entry for each request.
 *
 * Concept.  The request's id is the primary key, so that to post a request twice writes one
 * entry.  The file is in WAL mode: what is committed survives a crash of the process, what
 * is not is gone when its connection is closed.
 *
 * Life cycle.  ledger_create makes the file empty and keeps other runs away from it; connections
 * are opened and closed as often as need be; ledger_check reads it all; ledger_release.
 *
 * Threads.  A connection is used by one thread at a time.  Nothing here knows of processes. */
#ifndef FINANCIAL_LEDGER_H
#define FINANCIAL_LEDGER_H

#include <stdbool.h>

#include "input.h"

enum { LEDGER_WHY_BYTES = 200 };

/* ---- the file -------------------------------------------------------------------------- */

/* Makes `path` an empty ledger and locks it for this run.  A ledger of an earlier run is
 * replaced, or with `keep` left as it is; any other file is left alone.  Returns 0 and the lock,
 * or -1 and what is wrong. */
int ledger_create(const char *path, bool keep, int *ret_lock, char why[LEDGER_WHY_BYTES]);
void ledger_release(int lock);

/* ---- a connection ---------------------------------------------------------------------- */

struct ledger;

/* Returns the connection; NULL, with what is wrong in `why`, when it cannot be opened. */
struct ledger *ledger_open(const char *path, char why[LEDGER_WHY_BYTES]);

/* Closes it; a transaction under way is rolled back. */
void ledger_close(struct ledger *ledger);

/* What went wrong with the last call that failed. */
const char *ledger_error(struct ledger *ledger);

/* A transaction: begin, insert, commit.  Each returns 0, or -1 (ledger_error says why).
 * insert tells in *ret_new whether the entry is new; when there is one of that id already
 * nothing is written, and it is an error if that one says something else. */
int ledger_begin(struct ledger *ledger);
int ledger_insert(struct ledger *ledger, const struct request *request, bool *ret_new);
int ledger_commit(struct ledger *ledger);

/* ---- the check ------------------------------------------------------------------------- */

/* What the ledger has, held against the input. */
struct ledger_check {
    size_t entries[REQUEST_KINDS];      /* by kind ... */
    int64_t cents[REQUEST_KINDS];       /* ... and what they add up to */
    size_t missing;                     /* good lines of the input without an entry */
    size_t different;                   /* with an entry that says something else */
    size_t unknown;                     /* entries that no line of the input asked for */
    bool intact;                        /* SQLite's own check of the file */
    bool holds;                         /* each good line exactly once, with the right totals */
};

/* Returns 0; -1, with what is wrong in `why`, when the ledger cannot be read. */
int ledger_check(const char *path, const struct input *input, struct ledger_check *ret_check,
                 char why[LEDGER_WHY_BYTES]);

#endif
