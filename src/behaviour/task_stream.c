/* task_stream.c - streams: a function on each of many inputs, a few tasks at a time.
 *
 * The stream is the memory of the process that opened it, which starts the tasks and takes their
 * messages itself; there is no other process.  An entry is an input and what became of it:
 *
 *     running --reply--> answered --down--> done --> delivered
 *        |                                   ^
 *        +------------ down -----------------+
 *
 * Running and answered entries are in by_ref and hold a slot each: a slot is free when the task is
 * down, so that a full supervisor has room again.  Running ones are also in a list by their
 * start, which is by their deadlines as well.  In the queue are the entries to be delivered, in
 * order: from their start on, or for an unordered stream from when they are done.
 *
 * What an entry has to tell is kept as the message that told it, which dies with the process. */
#include "task.h"

#include <assert.h>

#include <coppice/memory.h>
#include <coppice/runtime.h>

struct entry {
    struct table_node by_ref;        /* running, answered */
    struct entry *older, *newer;     /* running */
    struct entry *behind;            /* in the queue */
    cop_task task;
    size_t index;
    int64_t deadline;
    bool running, done;
    bool expired;                    /* killed because its time was over */
    cop_message *message;            /* answered: the result; done: the result or the end */
    _Alignas(16) char input[];
};

struct cop_task_stream {
    cop_task_stream_options options;
    cop_pid owner;
    cop_pid supervisor;              /* or no process: plain tasks */
    bool supervised, linked;
    struct table by_ref;
    struct entry *oldest, *newest;   /* of the running ones */
    struct entry *first, *last;      /* of the queue */
    struct entry *delivered;         /* what the last item points into */
    size_t next_index;
    bool exhausted;
    int error;                       /* why a task could not be started */
    cop_deferred *at_end;
};

/* ---- entries ----------------------------------------------------------------------- */

static void queue(cop_task_stream *stream, struct entry *entry)
{
    if (stream->first == NULL) stream->first = entry;
    else stream->last->behind = entry;
    stream->last = entry;
}

static void entry_free(struct entry *entry)
{
    if (entry == NULL) return;
    cop_message_free(entry->message);
    cop_free(entry);
}

static void started_running(cop_task_stream *stream, struct entry *entry)
{
    entry->running = true;
    entry->older = stream->newest;
    if (stream->newest != NULL) stream->newest->newer = entry;
    else stream->oldest = entry;
    stream->newest = entry;
}

static void stopped_running(cop_task_stream *stream, struct entry *entry)
{
    if (!entry->running) return;
    entry->running = false;
    if (entry->older != NULL) entry->older->newer = entry->newer;
    else stream->oldest = entry->newer;
    if (entry->newer != NULL) entry->newer->older = entry->older;
    else stream->newest = entry->older;
}

/* ---- messages ---------------------------------------------------------------------- */

static bool is_of_stream(const cop_message *message, void *context)
{
    const cop_task_stream *stream = context;
    return copi_task_find(&stream->by_ref, message) != NULL;
}

static cop_message *take(cop_task_stream *stream, int64_t timeout_ms)
{
    return cop_take(&(cop_match){ .accept = is_of_stream, .context = stream }, timeout_ms);
}

/* A caller that traps exits is told of every end by the link, before the monitor tells. */
static void flush_exit(const cop_task_stream *stream, cop_pid pid)
{
    if (!stream->linked) return;
    const cop_match match = { .type = COP_TYPE(cop_exit_message), .from = pid };
    cop_message_free(cop_take(&match, 0));
}

/* Takes a message over that is_of_stream.  Returns the entry if it is done now. */
static struct entry *heard(cop_task_stream *stream, cop_message *message)
{
    struct entry *entry = (struct entry *)copi_task_find(&stream->by_ref, message);
    assert(entry != NULL && !entry->done);
    stopped_running(stream, entry);
    bool down = cop_is(message, cop_down_message);
    if (entry->message == NULL) entry->message = message;
    else cop_message_free(message);
    if (!down) return NULL;
    copi_table_remove(&stream->by_ref, &entry->by_ref);
    entry->done = true;
    flush_exit(stream, entry->task.pid);
    return entry;
}

/* ---- killing ----------------------------------------------------------------------- */

/* The process ends: so do its tasks, linked or not. */
static void kill_all(void *argument)
{
    cop_task_stream *stream = argument;
    for (struct table_node *node = copi_table_first(&stream->by_ref); node != NULL;
         node = copi_table_next(&stream->by_ref, node))
        copi_task_kill(((struct entry *)node)->task.pid);
}

/* Kills the tasks, waits until all are down, and forgets what they have told. */
static void clear(cop_task_stream *stream)
{
    kill_all(stream);
    while (stream->by_ref.count > 0) {
        struct entry *entry = heard(stream, take(stream, COP_INFINITY));
        if (entry != NULL && stream->options.unordered) entry_free(entry);
    }
    while (stream->first != NULL) {
        struct entry *entry = stream->first;
        stream->first = entry->behind;
        entry_free(entry);
    }
}

/* Kills the tasks whose time is over, unless they have answered. */
static void expire(cop_task_stream *stream)
{
    while (stream->oldest != NULL && copi_task_left_ms(stream->oldest->deadline) == 0) {
        struct entry *entry = stream->oldest;
        cop_message *message = cop_take(&(cop_match){ .ref = entry->task.ref }, 0);
        if (message != NULL) {
            struct entry *done = heard(stream, message);
            if (done != NULL && stream->options.unordered) queue(stream, done);
            continue;
        }
        if (stream->options.on_timeout == COP_STREAM_EXIT)
            cop_exit(cop_reason_tuple("timeout", cop_reason_atom("cop_task_stream_next")));
        stopped_running(stream, entry);
        entry->expired = true;
        copi_task_kill(entry->task.pid);
    }
}

/* ---- starting ---------------------------------------------------------------------- */

static cop_task start(const cop_task_stream *stream, const void *input)
{
    const cop_task_stream_options *options = &stream->options;
    const void *argument = options->input_size > 0 ? input : NULL;
    size_t size = options->input_size;
    cop_dest supervisor = cop_to(stream->supervisor);
    if (!stream->supervised) return cop_task_async(options->function, argument, size);
    if (stream->linked)
        return cop_task_supervisor_async_opt(supervisor, options->function, argument, size,
                                             options->shutdown);
    return cop_task_supervisor_async_nolink_opt(supervisor, options->function, argument, size,
                                                options->shutdown);
}

/* Pulls an input and starts its task; false: there is none, or it could not be started. */
static bool start_next(cop_task_stream *stream)
{
    struct entry *entry = cop_alloc(sizeof *entry + stream->options.input_size);
    copi_table_reserve(&stream->by_ref);     /* who lacks memory has no task that runs on */
    stream->exhausted = !stream->options.input(stream->options.context, entry->input);
    if (!stream->exhausted) {
        entry->task = start(stream, entry->input);
        stream->error = entry->task.error;
    }
    if (stream->exhausted || stream->error != COP_OK) {
        cop_free(entry);
        return false;
    }
    entry->index = stream->next_index++;
    entry->deadline = copi_task_deadline(stream->options.timeout_ms);
    copi_table_insert(&stream->by_ref, &entry->by_ref, entry->task.ref.serial);
    started_running(stream, entry);
    if (!stream->options.unordered) queue(stream, entry);
    return true;
}

/* Fills the slots that are free. */
static void refill(cop_task_stream *stream)
{
    if (stream->exhausted || stream->error != COP_OK) return;
    while (stream->by_ref.count < stream->options.max_concurrency && start_next(stream)) {
    }
    if (stream->error != COP_OK) clear(stream);
}

/* ---- the public side --------------------------------------------------------------- */

static cop_task_stream *stream_open(const cop_task_stream_options *options)
{
    enum { DEFAULT_TIMEOUT_MS = 5000 };
    if (cop_pid_is_none(cop_self())) return NULL;
    if (options == NULL || options->function == NULL || options->input == NULL) return NULL;
    cop_task_stream *stream = cop_alloc(sizeof *stream);
    stream->options = *options;
    if (options->max_concurrency == 0)
        stream->options.max_concurrency = (size_t)cop_schedulers();
    if (options->timeout_ms == 0) stream->options.timeout_ms = DEFAULT_TIMEOUT_MS;
    stream->owner = cop_self();
    stream->linked = true;
    stream->at_end = cop_defer(kill_all, stream);
    return stream;
}

cop_task_stream *cop_task_async_stream(const cop_task_stream_options *options)
{
    return stream_open(options);
}

cop_task_stream *cop_task_supervisor_async_stream(cop_dest supervisor,
                                                  const cop_task_stream_options *options)
{
    cop_task_stream *stream = stream_open(options);
    if (stream == NULL) return NULL;
    stream->supervised = true;
    stream->supervisor = cop_resolve(supervisor);
    if (cop_pid_is_none(stream->supervisor)) stream->error = COP_ENOPROC;
    return stream;
}

cop_task_stream *cop_task_supervisor_async_stream_nolink(cop_dest supervisor,
                                                         const cop_task_stream_options *options)
{
    cop_task_stream *stream = cop_task_supervisor_async_stream(supervisor, options);
    if (stream != NULL) stream->linked = false;
    return stream;
}

static bool is_mine(const cop_task_stream *stream)
{
    return stream != NULL && cop_pid_equal(stream->owner, cop_self());
}

/* The first of the queue, if it is done, is the item. */
static bool deliver(cop_task_stream *stream, cop_task_item *ret_item)
{
    struct entry *entry = stream->first;
    if (entry == NULL || !entry->done) return false;
    stream->first = entry->behind;
    stream->delivered = entry;
    cop_task_item item = { .input = entry->input, .index = entry->index };
    if (entry->message->kind == COP_REPLY) {
        if (!copi_task_is_none(entry->message)) item.message = entry->message;
    } else if (entry->expired) {
        item.error = COP_ETIMEOUT;
    } else {
        item.error = COP_EDOWN;
        item.reason = cop_expect(entry->message, cop_down_message)->reason;
    }
    *ret_item = item;
    return true;
}

bool cop_task_stream_next(cop_task_stream *stream, cop_task_item *ret_item)
{
    if (!is_mine(stream)) return false;
    entry_free(stream->delivered);
    stream->delivered = NULL;
    for (;;) {
        expire(stream);
        if (deliver(stream, ret_item)) return true;
        refill(stream);
        if (stream->by_ref.count == 0) return false;
        int64_t deadline = stream->oldest != NULL ? stream->oldest->deadline : INT64_MAX;
        cop_message *message = take(stream, copi_task_left_ms(deadline));
        struct entry *done = message != NULL ? heard(stream, message) : NULL;
        if (done != NULL && stream->options.unordered) queue(stream, done);
    }
}

cop_message *cop_task_stream_take(cop_task_stream *stream)
{
    if (!is_mine(stream) || stream->delivered == NULL) return NULL;
    cop_message *message = stream->delivered->message;
    if (message == NULL || message->kind != COP_REPLY || copi_task_is_none(message)) return NULL;
    stream->delivered->message = NULL;
    return message;
}

int cop_task_stream_close(cop_task_stream *stream)
{
    if (!is_mine(stream)) return COP_EINVAL;
    clear(stream);
    entry_free(stream->delivered);
    cop_undefer(stream->at_end, false);
    int error = stream->error;
    cop_free(stream);
    return error;
}
