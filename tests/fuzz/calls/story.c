/* story.c - the bytes are a program of calls of the library; world.h says how it is read. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ORDERS_MAX = 100, ACTORS_FIRST = 3, SETTLE_MS = 20000, STEPS_MAX = 60000, PROCESSES = 120,
       TEXT = 8192 };

/* ---- the first process ----------------------------------------------------------------- */

static const cop_spawn_options plainly;

/* Learns how the others end. */
static void watch_new(unsigned *watched)
{
    if (world.pid_count - *watched > KNOWN_PIDS) *watched = world.pid_count - KNOWN_PIDS;
    for (; *watched < world.pid_count; ++*watched) cop_monitor(world.pids[*watched % KNOWN_PIDS]);
}

static void take_in(void)
{
    const cop_message *message;
    while ((message = cop_receive(0)) != NULL) {
        const cop_down_message *down = cop_get(message, cop_down_message);
        if (down != NULL) world_ended(down->pid, down->reason);
    }
}

/* By a timer: what it brings comes to a full mailbox, too. */
static void hand_over(cop_pid to, const command *given)
{
    cop_send_after_message(cop_to(to), 0, cop_message_new(COP_TYPE(command), given, 0));
}

/* The first byte of five: who is told, and how long the first process waits then. */
static void give_order(void)
{
    uint8_t who = bytes_take(&world.bytes);
    command given;
    given.op = bytes_take(&world.bytes);
    given.a = bytes_take(&world.bytes);
    given.b = bytes_take(&world.bytes);
    given.c = bytes_take(&world.bytes);
    given.d = who ^ given.a;
    cop_pid to = some_pid(who % 64 + 2);
    if (!cop_is_alive(to)) to = actor_spawn(given.a, &plainly);
    hand_over(to, &given);
    if (who >= 192)
        cop_sleep(1);
    else if (who >= 128)
        cop_yield();
}

static void story(void *argument)
{
    unsigned watched = 0;
    (void)argument;
    cop_trap_exit(true);
    for (int i = 0; i < ACTORS_FIRST; i++) actor_spawn((uint8_t)i, &plainly);
    for (int i = 0; i < ORDERS_MAX && bytes_left(&world.bytes) > 0; i++) {
        watch_new(&watched);
        give_order();
        take_in();
    }
    watch_new(&watched);
    cop_sleep(SETTLE_MS);
    take_in();
    unsigned known = world.pid_count < KNOWN_PIDS ? world.pid_count : KNOWN_PIDS;
    for (unsigned i = 0; i < known; i++) {
        if (cop_is_alive(world.pids[i]))
            hand_over(world.pids[i],
                      &(command){ .op = (uint8_t)(process_operation_count - 1) });
    }
    cop_sleep(SETTLE_MS);
    take_in();
}

/* ---- the harness ----------------------------------------------------------------------- */

static bool is_process_count_sane(void *context, char *detail, size_t size)
{
    (void)context;
    size_t count = cop_process_count();
    snprintf(detail, size, "%zu", count);
    return count > 0 && count <= PROCESSES;
}

static void first(void *argument)
{
    cop_sim_check("there are as many processes as there may be", is_process_count_sane, NULL);
    story(argument);
}

static void see_event(const cop_log_event *event, void *context)
{
    char text[300];
    (void)context;
    if (event->kind == COP_LOG_CRASH && !world.traced) return;      /* costs time */
    cop_log_format(event, text, sizeof text);
    if (world.traced && event->level >= COP_LOG_WARNING) dprintf(STDERR_FILENO, "    %s\n", text);
}

static void report_failure(const cop_sim_report *report)
{
    static char text[TEXT];
    if (report->failure[0] == '\0') return;
    cop_sim_format(report, text, sizeof text);
    fuzz_fail("%s", text);
}

/* What only a frame of a process that is struck knew of is lost (docs/testing.md): no leak. */
__attribute__((weak)) void __lsan_disable(void);
__attribute__((weak)) void __lsan_enable(void);

static int run(uint64_t seed, const cop_sim_options *options, bool loses, cop_sim_report *report)
{
    loses = loses && __lsan_disable != NULL;
    if (loses) __lsan_disable();
    int error = cop_sim_run(seed, first, NULL, options, report);
    if (loses) __lsan_enable();
    return error;
}

/* The first two bytes: a seed, and which faults there are. */
void fuzz_one(struct bytes *bytes)
{
    uint64_t seed = bytes_take(bytes);
    uint8_t faults = bytes_take(bytes);
    cop_sim_options options = { .max_steps = STEPS_MAX, .max_processes = PROCESSES,
                                .log = see_event, .late_ms = 50, .slow_ms = 50 };
    cop_sim_report report;
    if ((faults & 1) == 0) {
        options.chance[COP_SIM_ORDER] = 500000;
        options.chance[COP_SIM_INTERRUPT] = 30000;
    }
    if ((faults & 2) != 0) options.chance[COP_SIM_KILL] = 5000;
    if ((faults & 4) != 0) options.chance[COP_SIM_CRASH] = 2000;
    if ((faults & 8) != 0) options.chance[COP_SIM_NO_MEMORY] = 5000;
    if ((faults & 16) != 0) options.chance[COP_SIM_NO_PROCESS] = 20000;
    if ((faults & 32) != 0) options.chance[COP_SIM_LATE] = options.chance[COP_SIM_SLOW] = 20000;
    memset(&world, 0, sizeof world);
    world.bytes = *bytes;
    world.traced = getenv("FUZZ_TRACE") != NULL;
    int error = run(seed, &options, (faults & (2 | 4 | 8)) != 0, &report);
    if (error != COP_OK && error != COP_EFAILED) fuzz_fail("cop_sim_run: %d", error);
    report_failure(&report);
    cop_sim_report_free(&report);
}
