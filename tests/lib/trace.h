/* trace.h - the story of a test, line by line.
 *
 * Processes of the code under test append lines; at the end the test compares the whole text
 * with the one it expects.  Under the deterministic runtime the text is the same each time.
 *
 *     trace_reset();
 *     run_node(story, NULL);
 *     trace_expect("started\n"
 *                  "crashed: boom\n");
 *
 * Threads: any. */
#ifndef TEST_TRACE_H
#define TEST_TRACE_H

#include <check.h>
#include <stdbool.h>

/* Begins an empty trace. */
void trace_reset(void);

/* Appends one line; the newline is added.  printf-like. */
__attribute__((format(printf, 1, 2))) void trace(const char *format, ...);

/* All of it so far.  Valid until the next call here. */
const char *trace_text(void);

/* Whether the trace is `expected`; when not, prints both with the first line that differs
 * marked.  trace_expect fails the test then. */
bool trace_matches(const char *expected, const char *file, int line);

#define trace_expect(expected_)                                                          \
    ck_assert_msg(trace_matches((expected_), __FILE__, __LINE__), "the trace is another one")

#endif
