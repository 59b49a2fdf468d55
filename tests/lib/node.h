/* node.h - running a node in a test.
 *
 * The usual one is deterministic: one thread, virtual time, no waiting; the same seed tells the
 * same story.  Each returns what cop_run returned. */
#ifndef TEST_NODE_H
#define TEST_NODE_H

#include <coppice/runtime.h>

/* Runs main_function(argument) as the first process, deterministically, with seed 1 and the
 * processes in their order. */
int run_node(cop_function *main_function, void *argument);

/* The same with that seed and the processes in an order drawn from it. */
int run_node_seeded(cop_function *main_function, void *argument, uint64_t seed);

/* On that many real scheduler threads, with the real clock. */
int run_node_threads(cop_function *main_function, void *argument, int schedulers);

/* While on, each event that the library logs in the runs that follow is appended to the trace,
 * the first line that cop_log_format prints.  Off at first. */
void node_trace_log(bool on);

#endif
