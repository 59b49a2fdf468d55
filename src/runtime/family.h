/* family.h - where a process comes from: its parent, its group. */
#ifndef COPI_FAMILY_H
#define COPI_FAMILY_H

#include "process.h"

/* Before it is published: the child of parent, or of nobody (NULL). */
void copi_family_init(struct process *child, const struct process *parent);

#endif
