/* name.h - registered names: a table that is read without a lock (base/lookup.h) and written under
 * one; who looks a name up and finds the table being written a few times takes the lock too.
 *
 * Lock order: the names' lock is taken last and nothing else is taken under it. */
#ifndef COPI_NAME_H
#define COPI_NAME_H

#include <stddef.h>

struct process;

void copi_names_init(void);
void copi_names_deinit(void);

/* How many there are. */
size_t copi_name_count(void);

/* At the end of a process, before its links and monitors hear. */
void copi_name_release(struct process *process);

/* A name that leads to no living process, for a simulation; NULL: there is none. */
const char *copi_names_stale(void);

#endif
