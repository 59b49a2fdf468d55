/* partner.h - what the victim and its partner in a deadlock say to each other. */
#ifndef CRASH_MATRIX_PARTNER_H
#define CRASH_MATRIX_PARTNER_H

#include <coppice/coppice.h>

enum { DEADLOCK_MS = 50 };

COP_CALL(entangle, { cop_pid with; }, COP_EMPTY);

#endif
