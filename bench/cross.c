/* cross.c - pingpong_cross: round trips between two scheduler threads. */
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cases.h"
#include "harness.h"

COP_MESSAGE(serve, { cop_pid from; long i; });
COP_MESSAGE(answer, { long i; });
COP_MESSAGE(finish, { cop_pid from; });
COP_MESSAGE(player_left, { long thread; });

static long this_thread(void)
{
    return syscall(SYS_gettid);
}

/* A process that has a stack stays on its scheduler: from its first receive on, the thread that
 * the player has told is the one that it plays on.  It tells it again at its end. */
static void player(void *argument)
{
    atomic_long *thread = *(atomic_long **)argument;
    atomic_store(thread, this_thread());
    for (;;) {
        const cop_message *message = cop_receive(COP_INFINITY);
        const serve *ball = cop_get(message, serve);
        if (ball == NULL) {
            cop_send(cop_expect(message, finish)->from, player_left, .thread = this_thread());
            return;
        }
        cop_send(ball->from, answer, .i = ball->i);
    }
}

/* A player on another thread than the caller's: the caller keeps its own busy until somebody else
 * has taken the new process. */
static cop_pid player_elsewhere(atomic_long *thread)
{
    for (int tries = 0; tries < 1000; tries++) {
        atomic_store(thread, 0);
        cop_pid pid = cop_spawn(player, &thread, sizeof thread);
        for (int64_t start = bench_now(); bench_now() - start < 20000000;)
            if (atomic_load(thread) != 0)
                return pid;
        while (atomic_load(thread) == 0)
            cop_yield();
        if (atomic_load(thread) != this_thread())
            return pid;
        cop_exit_process(pid, COP_KILL);
    }
    bench_check_named(false, "a player on another scheduler");
    return COP_NO_PID;
}

static struct figures pingpong_cross(void *context)
{
    long n = bench_scale(30000), sum = 0;
    atomic_long thread;
    (void)context;
    cop_yield();     /* from here on the caller has a stack */
    cop_pid other = player_elsewhere(&thread);
    int64_t start = bench_now();
    for (long i = n; i >= 1; i--) {
        cop_send(other, serve, .from = cop_self(), .i = i);
        const answer *back = cop_receive_type(answer, COP_INFINITY);
        bench_check(back->i == i);
        sum += back->i;
    }
    int64_t time = bench_now() - start;
    bench_check(sum == n * (n + 1) / 2);
    cop_send(other, finish, .from = cop_self());
    long last = cop_receive_type(player_left, COP_INFINITY)->thread;
    bench_check(last == atomic_load(&thread) && last != this_thread());
    return (struct figures){ 1, { { "", bench_rate(n, time), "roundtrips/s", n } } };
}

void case_pingpong_cross(void)
{
    bench_check(cop_schedulers() >= 2);
    bench_run("pingpong_cross", BENCH_DEFAULTS, pingpong_cross, NULL);
}
