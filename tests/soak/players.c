/* players.c - who loads the tree.  Each player does one kind of work until it is told to stop, and
 * says what it finds wrong; that a server has just crashed is not wrong. */
#include "soak.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "platform/sanitizer.h"

enum { CALLERS = 4, CALL_MS = 5000, SETTLE_MS = 30000, PLAYERS_MAX = 32, BURST = 8 };

/* ThreadSanitizer holds a signal back until a function is called that it knows: who loops without
 * one is not to be killed there. */
#ifdef COPI_TSAN
enum { LOOPS_END = false };
#else
enum { LOOPS_END = true };
#endif

struct played played[WORKS];
atomic_bool is_wrong;
char wrong[200];
static atomic_bool stop;

void note_wrong(const char *format, ...)
{
    static atomic_flag noted = ATOMIC_FLAG_INIT;
    if (atomic_flag_test_and_set(&noted)) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(wrong, sizeof wrong, format, arguments);
    va_end(arguments);
    atomic_store(&is_wrong, true);
}

static bool goes_on(void)
{
    return !atomic_load_explicit(&stop, memory_order_relaxed);
}

static void count(enum work work, bool well)
{
    atomic_fetch_add_explicit(well ? &played[work].done : &played[work].failed, 1,
                              memory_order_relaxed);
}

static int below(int n)
{
    return (int)cop_random_below((uint64_t)n);
}

/* ---- calls ------------------------------------------------------------------------------- */

static void call_servers(void *argument)
{
    (void)argument;
    while (goes_on()) {
        char name[8];
        add_reply reply;
        server_name(below(SERVERS), name);
        int64_t begin = clock_ns();
        int error = cop_call_timeout(name, CALL_MS, &reply, add, .amount = 1);
        time_add(clock_ns() - begin);
        count(CALLS, error == COP_OK);
        if (error != COP_OK && error != COP_ENOPROC && error != COP_EDOWN)
            note_wrong("a call: %s", cop_error_text(error));
        if (below(64) == 0) cop_sleep(1);
    }
}

/* ---- strikes ----------------------------------------------------------------------------- */

static void strike_servers(void *argument)
{
    (void)argument;
    for (int round = 1; goes_on(); round++) {
        char name[8];
        server_name(below(SERVERS), name);
        cop_pid pid = cop_whereis(name);
        enum fault fault = (enum fault)below(LOOP);
        if (LOOPS_END && round % 200 == 0) fault = LOOP;
        if (cop_pid_is_none(pid)) continue;
        cop_ref down = cop_monitor(pid);
        if (fault != KILLED) cop_send(pid, strike, .fault = fault);
        if (fault == LOOP) cop_sleep(5);
        if (fault == KILLED || fault == LOOP) cop_exit_process(pid, COP_KILL);
        atomic_fetch_add(&strikes[fault], 1);
        cop_message *message = cop_take(&(cop_match){ .ref = down }, SETTLE_MS);
        if (message == NULL) note_wrong("%s: it did not end", fault_names[fault]);
        cop_message_free(message);
        cop_sleep(1 + below(8));
    }
}

/* ---- dynamic children -------------------------------------------------------------------- */

static cop_next child_call(void *state, const cop_message *request, cop_from from)
{
    (void)state, (void)from;
    return cop_reply(add, .total = cop_expect(request, add)->amount);
}

static cop_next child_info(void *state, const cop_message *message)
{
    (void)state;
    const strike *struck = cop_get(message, strike);
    if (struck != NULL) fault_do(struck->fault);
    return cop_noreply();
}

static const cop_gen_server child = { .label = "child", .handle_call = child_call,
                                      .handle_info = child_info };

static void start_children(void *argument)
{
    (void)argument;
    const cop_child_spec spec = { .id = "child", .start = cop_child_server, .module = &child,
                                  .restart = COP_TEMPORARY };
    while (goes_on()) {
        cop_pid pids[BURST];
        for (int i = 0; i < BURST; i++) {
            cop_started started = cop_dynamic_supervisor_start_child(cop_to("children"), &spec);
            if (started.error != COP_OK) note_wrong("a child does not start");
            cop_reason_unref(started.reason);
            pids[i] = started.pid;
            add_reply reply = { 0 };
            if (cop_call(pids[i], &reply, add, .amount = i) != COP_OK || reply.total != i)
                note_wrong("a child does not answer");
        }
        for (int i = 0; i < BURST; i++) {
            int how = below(3);
            if (how == 0) cop_send(pids[i], strike, .fault = (enum fault)below(KILLED));
            if (how == 1) cop_exit_process(pids[i], COP_KILL);
            int error = cop_dynamic_supervisor_terminate_child(cop_to("children"), pids[i]);
            if (error != COP_OK && (how == 2 || error != COP_ENOT_FOUND))
                note_wrong("a child does not stop: %s", cop_error_text(error));
            count(CHILDREN, true);
        }
    }
}

/* ---- tasks ------------------------------------------------------------------------------- */

COP_MESSAGE(product, { long value; });

static cop_message *multiply(void *argument)
{
    long value = *(const long *)argument;
    if (value % 16 == 0) cop_raise("unlucky");
    if (value % 16 == 1) cop_sleep(1);
    return cop_new(product, .value = value * value);
}

static void await_tasks(void *argument)
{
    (void)argument;
    for (long value = 0; goes_on(); value += BURST) {
        cop_task started[BURST];
        for (long i = 0; i < BURST; i++) {
            long each = value + i;
            started[i] = cop_task_supervisor_async_nolink(cop_to("tasks"), multiply, &each,
                                                          sizeof each);
        }
        for (long i = 0; i < BURST; i++) {
            cop_message *result = NULL;
            long each = value + i;
            int error = cop_task_await(started[i], CALL_MS, &result, NULL);
            bool right = each % 16 == 0 ? error == COP_EDOWN
                                        : error == COP_OK &&
                                          cop_expect(result, product)->value == each * each;
            if (!right) note_wrong("a task: %s", cop_error_text(error));
            cop_message_free(result);
            count(TASKS, right);
        }
    }
}

/* ---- timers, names, monitors ------------------------------------------------------------- */

COP_MESSAGE(tick, { int number; });

static void set_timers(void *argument)
{
    (void)argument;
    while (goes_on()) {
        cop_ref timers[BURST];
        int wanted = 0;
        for (int i = 0; i < BURST; i++)
            timers[i] = cop_send_after(cop_self(), i % 2 == 0 ? 1 + i : 60000, tick, .number = i);
        for (int i = 1; i < BURST; i += 2)
            if (cop_cancel_timer(timers[i]) < 0) note_wrong("a timer was not there any more");
        for (int i = 0; i < BURST; i += 2, wanted++)
            if (cop_receive_type(tick, CALL_MS) == NULL) note_wrong("a timer did not fire");
        atomic_fetch_add(&played[TIMERS].done, BURST);
    }
}

static void have_name(void *argument)
{
    const char *name = argument;
    if (cop_register(name) != COP_OK) note_wrong("the name %s is taken", name);
    cop_receive(1);
}

/* A name and a monitor, many times over: the name is free when the monitor has fired. */
static void watch_names(void *argument)
{
    (void)argument;
    static char name[] = "passing";
    while (goes_on()) {
        cop_pid pid = cop_spawn(have_name, name, 0);
        cop_ref down = cop_monitor(pid);
        if (below(2) == 0) cop_exit_process(pid, COP_KILL);
        else cop_send(pid, tick, .number = 0);
        cop_message *message = cop_take(&(cop_match){ .ref = down }, CALL_MS);
        bool right = message != NULL && cop_pid_is_none(cop_whereis(name));
        if (!right) note_wrong("a monitor has not fired, or a name leads to the dead");
        cop_message_free(message);
        count(WATCHES, right);
    }
}

/* ---- a mutex ----------------------------------------------------------------------------- */

static cop_mutex lock = COP_MUTEX_INIT;
static long inside;

static void hold_lock(void *argument)
{
    (void)argument;
    for (int i = 0; i < BURST && goes_on(); i++) {
        if (cop_mutex_lock(&lock, CALL_MS) < 0) {
            note_wrong("a mutex was not to be had");
            return;
        }
        inside = 1;
        if (below(4) == 0) cop_yield();
        if (below(64) == 0) cop_raise("inside");
        if (inside != 1) note_wrong("two are inside");
        inside = 0;
        cop_mutex_unlock(&lock);
        count(LOCKS, true);
    }
}

static void take_locks(void *argument)
{
    (void)argument;
    while (goes_on()) {
        cop_ref downs[3];
        for (int i = 0; i < 3; i++) downs[i] = cop_monitor(cop_spawn(hold_lock, NULL, 0));
        for (int i = 0; i < 3; i++)
            cop_message_free(cop_take(&(cop_match){ .ref = downs[i] }, SETTLE_MS));
    }
}

/* ---- what is no message ------------------------------------------------------------------ */

static void add_one(void *argument)
{
    ++*(long *)argument;
    poll(NULL, 0, 1);
}

static void run_jobs(void *argument)
{
    (void)argument;
    for (long value = 0; goes_on();) {
        long before = value;
        int error = cop_blocking(add_one, &value, sizeof value);
        if (error != COP_OK || value != before + 1) note_wrong("a blocking function");
        count(JOBS, true);
    }
}

struct pipe_ends { int from, to; };

static void write_bytes(void *argument)
{
    const struct pipe_ends *ends = argument;
    char bytes[256];
    memset(bytes, 'b', sizeof bytes);
    cop_own_fd(ends->to);
    for (int i = 0; i < BURST; i++) cop_write(ends->to, bytes, sizeof bytes, CALL_MS);
}

/* A pipe for each burst; both ends are owned. */
static void read_bytes(void *argument)
{
    (void)argument;
    while (goes_on()) {
        int ends[2];
        char bytes[256];
        if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) {
            note_wrong("there is no pipe");
            return;
        }
        cop_deferred *own = cop_own_fd(ends[0]);
        cop_spawn(write_bytes, &(struct pipe_ends){ ends[0], ends[1] }, sizeof(struct pipe_ends));
        int64_t got, all = 0;
        while ((got = cop_read(ends[0], bytes, sizeof bytes, CALL_MS)) > 0) all += got;
        cop_undefer(own, true);
        if (got < 0 || all != BURST * (int64_t)sizeof bytes) note_wrong("bytes are missing");
        atomic_fetch_add(&played[BYTES].done, BURST);
    }
}

/* ---- all of them ------------------------------------------------------------------------- */

static cop_ref players[PLAYERS_MAX];
static int player_count;
static size_t processes_before;

static void start_player(cop_function *function)
{
    players[player_count++] = cop_monitor(cop_spawn(function, NULL, 0));
}

void players_start(void)
{
    static cop_function *const kinds[] = {
        strike_servers, start_children, await_tasks, set_timers,
        watch_names,    take_locks,     run_jobs,    read_bytes,
    };
    atomic_store(&stop, false);
    player_count = 0;
    processes_before = cop_process_count();
    for (int i = 0; i < CALLERS; i++) start_player(call_servers);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) start_player(kinds[i]);
}

bool players_stop(void)
{
    atomic_store(&stop, true);
    for (int i = 0; i < player_count; i++) {
        cop_message *message = cop_take(&(cop_match){ .ref = players[i] }, SETTLE_MS);
        const cop_down_message *down = cop_get(message, cop_down_message);
        if (down == NULL || !cop_reason_is(down->reason, "normal"))
            note_wrong("player %d did not come to its end", i);
        cop_message_free(message);
    }
    for (int ms = 0; ms < SETTLE_MS && cop_process_count() != processes_before; ms += 10)
        cop_sleep(10);
    return cop_process_count() == processes_before;
}
