/* partner.h - what the victim and its partner in a deadlock say to each other, and what the victim
 * has too much of. */
#ifndef CRASH_MATRIX_PARTNER_H
#define CRASH_MATRIX_PARTNER_H

#include <coppice/coppice.h>

enum { DEADLOCK_MS = 50 };

COP_CALL(entangle, { cop_pid with; }, COP_EMPTY);
COP_MESSAGE(flood, COP_EMPTY);

#endif
