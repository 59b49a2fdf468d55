/* grow.h - a random tree for a history. */
#ifndef SIM_GROW_H
#define SIM_GROW_H

#include <stdio.h>

#include "model.h"

/* [process] A number below n; a tree; both from cop_random. */
int below(int n);
void grow(struct plan *plan);

/* A line for each node. */
void describe(const struct plan *plan, FILE *file);

#endif
