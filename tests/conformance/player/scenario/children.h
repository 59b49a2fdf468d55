/* children.h - the processes of a scenario: workers, supervisors and dynamic supervisors that do
 * what their node says. */
#ifndef CONFORMANCE_CHILDREN_H
#define CONFORMANCE_CHILDREN_H

#include <coppice/dynamic_supervisor.h>

#include "scenario.h"

/* The spec that makes a node a child. */
cop_child_spec child_spec_of(const struct node *node);

/* Starts a node linked to the caller, as its supervisor would. */
cop_started child_start(const struct node *node);

/* Starts a node below a dynamic supervisor. */
cop_started child_start_dynamic(cop_dest supervisor, const struct node *node);

/* Tells a worker to stop by itself with that reason, a word of a file, which must outlive it. */
void child_ask_to_exit(cop_pid worker, const char *reason);

#endif
