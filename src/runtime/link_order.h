/* link_order.h - which link hears first of an end, in a deterministic run.
 *
 * No order is promised.  But what is recorded from OTP depends on it when a supervisor is killed:
 * its children and its parent are woken one after the other.  OTP has the links of a process in a
 * red-black tree by pid, which is by age for one that only starts others, and takes it down
 * leaves first, left before right.  The shape comes of all that was ever linked and unlinked,
 * so that only such a tree knows it: a deterministic run keeps them, here and not in the processes,
 * which are to be small.
 *
 * Threads: the one of a deterministic run. */
#ifndef COPI_LINK_ORDER_H
#define COPI_LINK_ORDER_H

#include <coppice/message.h>

/* Adds a link of owner; returns its age, by which it is known to the next function; never 0. */
uint64_t copi_link_order_add(cop_pid owner, cop_pid peer);

/* Takes a link of owner out, which must be in. */
void copi_link_order_remove(cop_pid owner, uint64_t age);

/* Calls tell(peer, context) for each link of owner in OTP's order, and forgets them all. */
void copi_link_order_tell(cop_pid owner, void (*tell)(cop_pid peer, void *context), void *context);

#endif
