/* expect_story.h - for tests whose stories are told by the processes alone.  Those of supervision
 * have worker.h, in which the supervisors tell as well. */
#ifndef TEST_EXPECT_STORY_H
#define TEST_EXPECT_STORY_H

#include "node.h"
#include "trace.h"

/* Runs a story deterministically, as the first process, and compares. */
static inline void expect_story(cop_function *story, const char *expected)
{
    trace_reset();
    ck_assert_int_eq(run_node(story, NULL), 0);
    trace_expect(expected);
}

#endif
