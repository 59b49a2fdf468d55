/* table.h - slots of the process table, for process.c: taken, published under a pid, retired.
 *
 * Each scheduler has a list of free slots, balanced over a common one in batches. */
#ifndef COPI_TABLE_H
#define COPI_TABLE_H

#include "process.h"

struct scheduler;

/* A free slot, or NULL at the limit of processes; scheduler NULL: from the common list. */
struct process *copi_slot_take(struct scheduler *scheduler);

/* Gives one back that was not published. */
void copi_slot_give(struct scheduler *scheduler, struct process *slot);

/* The pid that a free slot's next process has. */
cop_pid copi_slot_pid(const struct process *slot);

/* Makes the slot a living process whose pid others may find; on a thread of scheduler, or NULL. */
void copi_slot_publish(struct scheduler *scheduler, struct process *slot);

/* The pid is no process's any more; the slot is still its owner's. */
void copi_slot_unpublish(struct scheduler *scheduler, struct process *slot);

/* Makes it a free slot again, under the generation after that pid's, which it had; its incoming
 * stack is closed. */
void copi_slot_retire(struct scheduler *scheduler, struct process *slot, cop_pid pid);

#endif
