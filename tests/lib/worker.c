/* worker.c - children for tests of supervision. */
#include "worker.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NAME_MAX_BYTES = 32 };

struct life {
    struct worker *worker;
    char name[NAME_MAX_BYTES];
    int n;
};

struct birth {
    struct worker *worker;
    char name[NAME_MAX_BYTES];
};

static void drop_reason(void *payload)
{
    cop_reason_unref(*(const cop_reason **)payload);
}

COP_MESSAGE_WITH(leave, { const cop_reason *reason; }, drop_reason);
COP_MESSAGE(fall, { const char *text; });
COP_MESSAGE(warm, { char nothing; });

/* ---- the story's time -------------------------------------------------------------- */

static bool times_are_traced;
static int64_t begin_ms;

void trace_times(bool on)
{
    times_are_traced = on;
}

int story_ms(void)
{
    return (int)(cop_now_ms() - begin_ms);
}

void wait_until(int ms)
{
    ck_assert_int_gt(ms, story_ms());
    cop_sleep(ms - story_ms());
}

/* trace, with the time if it is asked for. */
__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (times_are_traced) trace("%d: %s", story_ms(), line);
    else trace("%s", line);
}

/* ---- the worker -------------------------------------------------------------------- */

static bool is_over;      /* the story: what the end of the node does to the rest is not told */

static void gone(void *argument)
{
    struct life *life = argument;
    if (is_over) return;
    tell("%s.%d is gone", life->name, life->n);
}

static char planned(const struct worker *worker, int n)
{
    if (worker->starts == NULL) return 'o';
    size_t length = strlen(worker->starts);
    return worker->starts[(size_t)n <= length ? (size_t)n - 1 : length - 1];
}

static cop_next init(void *state, const void *argument)
{
    struct life *life = state;
    const struct birth *birth = argument;
    life->worker = birth->worker;
    life->n = ++birth->worker->count;
    birth->worker->is_ready = false;
    memcpy(life->name, birth->name, sizeof life->name);
    switch (planned(life->worker, life->n)) {
    case 'e':
        tell("%s.%d fails", life->name, life->n);
        return cop_stop(cop_reason_atom("boom"));
    case 'i':
        tell("%s.%d ignores", life->name, life->n);
        return cop_ignore();
    case 's':
        cop_sleep(10);
        break;
    default:
        break;
    }
    cop_defer(gone, life);
    cop_trap_exit(life->worker->traps);
    if (life->worker->unlinks) cop_unlink(cop_parent());
    tell("%s.%d starts", life->name, life->n);
    int64_t ready_ms = life->worker->ready_ms;
    if (ready_ms == AT_ONCE) return cop_then_continue(cop_ok(), warm, 0);
    if (ready_ms > 0) cop_send_after(cop_self(), ready_ms, warm, 0);
    return cop_ok();
}

/* It is warm, so it is ready. */
static cop_next handle_continue(void *state, const cop_message *message)
{
    const struct life *life = state;
    cop_expect(message, warm);
    tell("%s.%d is ready", life->name, life->n);
    life->worker->is_ready = true;
    cop_ready();
    return cop_noreply();
}

static cop_next handle_info(void *state, const cop_message *message)
{
    if (cop_is(message, warm)) return handle_continue(state, message);
    const leave *request = cop_get(message, leave);
    if (request != NULL) return cop_stop(cop_reason_ref(request->reason));
    if (cop_is(message, cop_exit_message)) return cop_noreply();
    cop_raise("%s", cop_expect(message, fall)->text);
}

static void terminate(void *state, const cop_reason *reason)
{
    struct life *life = state;
    if (is_over) return;
    tell("%s.%d stops: %s", life->name, life->n, reason_text(reason));
    if (life->worker->lingers_ms != 0) cop_sleep(life->worker->lingers_ms);
    if (life->worker->last_words != NULL) cop_exit(cop_reason_atom(life->worker->last_words));
}

cop_started worker_start(const void *module, const void *argument, size_t argument_size)
{
    static const cop_gen_server server = { .state_size = sizeof(struct life),
                                           .init = init,
                                           .handle_info = handle_info,
                                           .handle_continue = handle_continue,
                                           .terminate = terminate };
    struct birth birth = { (struct worker *)(uintptr_t)module, "worker" };
    const char *name = argument_size > 0 ? argument : NULL;
    if (name != NULL) snprintf(birth.name, sizeof birth.name, "%s", name);
    return cop_gen_server_start_link(&server, .name = name, .argument = &birth,
                                     .argument_size = sizeof birth);
}

/* ---- what happens to it ------------------------------------------------------------ */

static void await(cop_ref monitor)
{
    cop_message_free(cop_take(&(cop_match){ .ref = monitor }, COP_INFINITY));
}

void worker_exit_pid(cop_pid pid, const cop_reason *reason)
{
    ck_assert(cop_is_alive(pid));
    cop_ref monitor = cop_monitor(pid);
    cop_send(pid, leave, .reason = reason);
    await(monitor);
}

void worker_kill_pid(cop_pid pid)
{
    ck_assert(cop_is_alive(pid));
    cop_ref monitor = cop_monitor(pid);
    cop_exit_process(pid, COP_KILL);
    await(monitor);
}

void worker_exit(const char *name, const cop_reason *reason)
{
    worker_exit_pid(cop_whereis(name), reason);
}

void worker_raise(const char *name, const char *text)
{
    cop_ref monitor = cop_monitor(name);
    ck_assert_int_eq(cop_send(name, fall, .text = text), COP_OK);
    await(monitor);
}

void worker_kill(const char *name)
{
    worker_kill_pid(cop_whereis(name));
}

/* ---- stories ----------------------------------------------------------------------- */

static bool progress_is_traced;

void trace_progress(bool on)
{
    progress_is_traced = on;
}

static void trace_restart(const cop_log_event *event, const char *reason)
{
    char ids[256] = "";
    for (size_t i = 0; i < event->restarted_count; i++) {
        size_t length = strlen(ids);
        snprintf(ids + length, sizeof ids - length, " %s", event->restarted[i]);
    }
    tell("report: %s restarted: %s;%s", event->child, reason, ids);
}

static void trace_report(const cop_log_event *event, void *context)
{
    static const char *const levels[] = { "debug", "info", "warning", "error" };
    (void)context;
    const char *reason = event->reason != NULL ? reason_text(event->reason) : "none";
    if (event->kind == COP_LOG_SUPERVISOR)
        tell("report: %s %s: %s", event->context, event->child, reason);
    else if (event->kind == COP_LOG_RESTART)
        trace_restart(event, reason);
    else if (event->kind == COP_LOG_PROGRESS && progress_is_traced)
        tell("progress: %s (%s)", event->child, levels[event->level]);
    else if (event->kind == COP_LOG_TEXT)
        tell("note: %s: %s", event->message_type, event->text);
}

static void trapping_story(void *story)
{
    cop_trap_exit(true);
    is_over = false;
    begin_ms = cop_now_ms();
    ((cop_function *)(uintptr_t)story)(NULL);
    is_over = true;
}

void expect_story(cop_function *story, const char *expected)
{
    trace_reset();
    int status = cop_run(trapping_story, (void *)(uintptr_t)story,
                         &(cop_run_options){ .deterministic = true, .log = trace_report });
    ck_assert_int_eq(status, 0);
    trace_expect(expected);
}

void run_shuffled(cop_function *story, uint64_t seed)
{
    trace_reset();
    const cop_run_options options = { .deterministic = true, .seed = seed, .shuffle = true,
                                      .log = trace_report };
    int status = cop_run(trapping_story, (void *)(uintptr_t)story, &options);
    ck_assert_msg(status == 0, "seed %llu", (unsigned long long)seed);
}

void trace_error(const char *what, int error)
{
    trace("%s: %s", what, cop_error_name(error));
}

void trace_started(const char *what, cop_started started)
{
    trace("%s: %s%s%s%s", what, cop_error_name(started.error),
          started.error == COP_OK && cop_pid_is_none(started.pid) ? " no process" : "",
          started.reason != NULL ? " " : "",
          started.reason != NULL ? reason_text(started.reason) : "");
    cop_reason_unref(started.reason);
}

void trace_end(const char *what, cop_pid pid)
{
    trace_down(what, cop_monitor(pid));
}

void trace_children(cop_dest supervisor)
{
    static const char *const states[] = { "down", "up", "restarting" };
    cop_child_info *children;
    size_t count;
    cop_child_counts counts;
    ck_assert_int_eq(cop_supervisor_which_children(supervisor, &children, &count), COP_OK);
    ck_assert_int_eq(cop_supervisor_count_children(supervisor, &counts), COP_OK);
    char list[256] = "none";
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(children[i].state == COP_CHILD_UP, !cop_pid_is_none(children[i].pid));
        length += (size_t)snprintf(list + length, sizeof list - length, "%s%s %s",
                                   i > 0 ? ", " : "",
                                   children[i].id != NULL ? children[i].id : "child",
                                   states[children[i].state]);
    }
    trace("children: %s; %zu specs, %zu active, %zu supervisors, %zu workers", list, counts.specs,
          counts.active, counts.supervisors, counts.workers);
    cop_free(children);
}

bool is_up(const char *name)
{
    return !cop_pid_is_none(cop_whereis(name));
}
