/* streams.h - streams of tasks for stories, told of plain tasks, under a supervisor, and there
 * without a link to the consumer. */
#ifndef TEST_STREAMS_H
#define TEST_STREAMS_H

#include "tasks.h"

enum kind { PLAIN, SUPERVISED, NOLINK, KINDS };
static enum kind kind;
static size_t max_children;

static inline void start_tasks(void)
{
    const cop_task_supervisor supervisor = { .name = "tasks", .max_children = max_children };
    if (kind == PLAIN) return;
    ck_assert_int_eq(cop_task_supervisor_start_link(&supervisor).error, COP_OK);
}

static inline cop_task_stream *open_stream(const cop_task_stream_options *options)
{
    cop_dest tasks = cop_to("tasks");
    return kind == PLAIN        ? cop_task_async_stream(options)
           : kind == SUPERVISED ? cop_task_supervisor_async_stream(tasks, options)
                                : cop_task_supervisor_async_stream_nolink(tasks, options);
}

/* Nothing of the stream stays: no message, not even of a link, and no task. */
static inline void expect_clean(void)
{
    expect_empty_mailbox();
    ck_assert_uint_eq(cop_process_count(), kind == PLAIN ? 1 : 2);
    if (kind == PLAIN) return;
    cop_child_counts counts;
    ck_assert_int_eq(cop_supervisor_count_children(cop_to("tasks"), &counts), COP_OK);
    ck_assert_uint_eq(counts.active, 0);
}

/* The inputs of a stream: so many ints. */
struct list {
    const int *numbers;
    size_t left;
    bool traced;
};

static inline bool next_of_list(void *context, void *ret_input)
{
    struct list *list = context;
    if (list->traced && list->left > 0) trace("pulls %d", *list->numbers);
    if (list->traced && list->left == 0) trace("at the end");
    if (list->left == 0) return false;
    list->left--;
    *(int *)ret_input = *list->numbers++;
    return true;
}

#define LIST(...)                                                                        \
    &(struct list){ .numbers = (const int[]){ __VA_ARGS__ },                             \
                    .left = sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int) }

#define STREAM(function_, list_, ...)                                                    \
    open_stream(&(cop_task_stream_options){ .function = (function_), .input = next_of_list, \
                                            .context = (list_), .input_size = sizeof(int), \
                                            __VA_ARGS__ })

static inline void trace_item(const cop_task_item *item)
{
    char what[32];
    snprintf(what, sizeof what, "%zu of %d", item->index, *(const int *)item->input);
    if (item->error == COP_OK) trace("%s: %d", what, cop_expect(item->message, number)->value);
    else if (item->error == COP_EDOWN) trace("%s: down: %s", what, reason_text(item->reason));
    else trace("%s: %s", what, cop_error_name(item->error));
}

/* All that the stream gives, to the end. */
static inline void drain(cop_task_stream *stream)
{
    cop_task_item item;
    while (cop_task_stream_next(stream, &item)) trace_item(&item);
    ck_assert(!cop_task_stream_next(stream, &item));
    trace("closed: %s at %d ms", cop_error_name(cop_task_stream_close(stream)),
          (int)cop_now_ms());
}

/* Runs the story as a first process that does not trap exits, and compares. */
static inline void tell(cop_function *story, enum kind with, const char *expected)
{
    kind = with;
    trace_reset();
    ck_assert_int_eq(run_node(story, NULL), 0);
    trace_expect(expected);
}

static inline void tell_of_each_kind(cop_function *story, const char *expected)
{
    for (kind = PLAIN; kind < KINDS; kind++) tell(story, kind, expected);
}

#endif
