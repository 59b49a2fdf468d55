/* test_stress_waits.c - processes that wait for blocking functions and for descriptors, on several
 * scheduler threads, while others kill them: no wake-up is lost, and at the end there are as many
 * descriptors, threads and results of functions as before. */
#include <coppice/coppice.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node.h"
#include "runtime/poller.h"
#include "watch.h"
#include "ways_to_crash.h"

COP_MESSAGE(done, { int kills; });
COP_MESSAGE_WITH(wire, { int fd; }, cop_fd_drop);

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { PLAYERS = 8, KILLERS = 2, KILLS = 100 };
#else
enum { PLAYERS = 24, KILLERS = 4, KILLS = 1000 };
#endif
enum { BLOCKING_THREADS = 5 };

static _Atomic int results;            /* of functions, that nobody has yet given back */
static _Atomic uint64_t calls, rounds;

/* ---- a function with a result that has to be given back -------------------------------- */

struct job {
    int n, result;
};

static void works(void *argument)
{
    struct job *job = argument;
    atomic_fetch_add(&results, 1);
    if (job->n % 3 == 0) sched_yield();
    job->result = job->n + 1;
}

static void gives_back(void *argument)
{
    const struct job *job = argument;
    expect_that(job->result == job->n + 1);
    atomic_fetch_sub(&results, 1);
}

static void has_work_done(void)
{
    static const int64_t times[] = { COP_INFINITY, COP_INFINITY, 1, 0 };
    struct job job = { .n = (int)cop_random_below(1000), .result = -1 };
    int64_t time = times[cop_random_below(4)];
    int error = cop_blocking_within(works, &job, sizeof job, time, gives_back);
    expect_that(error == COP_OK || error == COP_ETIMEOUT);
    expect_that(job.result == (error == COP_OK ? job.n + 1 : -1));
    if (error == COP_OK) gives_back(&job);
    atomic_fetch_add(&calls, 1);
}

/* ---- two who pass bytes to and fro ------------------------------------------------------ */

static void echoes(void *argument)
{
    (void)argument;
    char bytes[3000];
    int64_t size;
    cop_message *message = cop_take(&(cop_match){ .type = COP_TYPE(wire) }, COP_INFINITY);
    wire *end = cop_payload(message);
    int fd = end->fd;
    cop_own_fd(fd);
    end->fd = -1;
    cop_message_free(message);
    while ((size = cop_read(fd, bytes, sizeof bytes, COP_INFINITY)) > 0)
        if (cop_write(fd, bytes, (size_t)size, COP_INFINITY) != size) break;
}

static int start_echo(void)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    cop_own_fd(ends[0]);
    cop_pid echo = cop_spawn(echoes, NULL, 0);
    cop_send(echo, wire, .fd = ends[1]);
    return ends[0];
}

static void passes_bytes(int fd)
{
    char out[2000], in[2000];
    size_t size = 1 + cop_random_below(sizeof out), got = 0;
    for (size_t i = 0; i < size; i++) out[i] = (char)(i * size);
    expect_that(cop_write(fd, out, size, COP_INFINITY) == (int64_t)size);
    if (cop_random_below(8) == 0) cop_wait_fd(fd, COP_READABLE, 1, NULL);
    while (got < size) {
        int64_t count = cop_read(fd, in + got, size - got, COP_INFINITY);
        expect_that(count > 0);
        got += (size_t)count;
    }
    for (size_t i = 0; i < size; i++) expect_that(in[i] == out[i]);
    atomic_fetch_add(&rounds, 1);
}

static void plays(void *argument)
{
    (void)argument;
    int fd = start_echo();
    for (;;) {
        if (cop_random_below(2) == 0) has_work_done();
        else passes_bytes(fd);
        if (cop_random_below(500) == 0) crash_null_write();
    }
}

/* ---- the story ------------------------------------------------------------------------- */

static void kills(void *argument)
{
    (void)argument;
    cop_pid players[PLAYERS / KILLERS];
    cop_ref refs[PLAYERS / KILLERS];
    for (int i = 0; i < PLAYERS / KILLERS; i++)
        players[i] = cop_spawn_monitor(plays, NULL, 0, &refs[i]);
    for (int n = 0; n < KILLS; n++) {
        int i = (int)cop_random_below(PLAYERS / KILLERS);
        if (cop_random_below(3) == 0) cop_sleep(1);
        cop_exit_process(players[i], COP_KILL);
        cop_message_free(cop_take(&(cop_match){ .ref = refs[i] }, COP_INFINITY));
        players[i] = cop_spawn_monitor(plays, NULL, 0, &refs[i]);
    }
    /* The node's end kills in no order, and an echo that dies first is an error to its player. */
    for (int i = 0; i < PLAYERS / KILLERS; i++) {
        cop_exit_process(players[i], COP_KILL);
        cop_message_free(cop_take(&(cop_match){ .ref = refs[i] }, COP_INFINITY));
    }
    cop_send(cop_parent(), done, .kills = KILLS);
}

static void plays_and_kills(void *argument)
{
    (void)argument;
    for (int i = 0; i < KILLERS; i++) cop_spawn(kills, NULL, 0);
    for (int i = 0; i < KILLERS; i++)
        ck_assert_int_eq(cop_receive_type(done, COP_INFINITY)->kills, KILLS);
}

static int entries(const char *path)
{
    DIR *directory = opendir(path);
    int count = 0;
    while (readdir(directory) != NULL) count++;
    closedir(directory);
    return count;
}

static void nothing(void *argument)
{
    (void)argument;
}

START_TEST(whoever_is_killed_while_it_waits_leaves_nothing_behind)
{
    static const int threads[] = { 1, 2, 4 };
    run_node_threads(nothing, NULL, 2);      /* a sanitizer's own thread comes with the first one */
    int descriptors = entries("/proc/self/fd"), tasks = entries("/proc/self/task");
    cop_run_options options = { .schedulers = threads[_i], .blocking_threads = BLOCKING_THREADS };
    ck_assert_int_eq(cop_run(plays_and_kills, NULL, &options), 0);
    ck_assert_int_eq(atomic_load(&results), 0);
    ck_assert_uint_gt(atomic_load(&calls), KILLS);
    ck_assert_uint_gt(atomic_load(&rounds), KILLS);
    ck_assert_uint_eq(copi_poller_waiters(), 0);
    ck_assert_int_eq(entries("/proc/self/fd"), descriptors);
    while (entries("/proc/self/task") > tasks) sched_yield();     /* a joined one may still show */
}
END_TEST

static Suite *waits_suite(void)
{
    Suite *suite = suite_create("stress_waits");
    TCase *tests = tcase_create("stress_waits");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, whoever_is_killed_while_it_waits_leaves_nothing_behind, 0, 3);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(waits_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
