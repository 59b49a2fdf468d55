/* child.c - a node in a child process, which is watched and whose last words are kept. */
#include "matrix.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TICK_MS = 200, STOP_MS = 3000 };

volatile bool interrupted;

static size_t board_bytes;

bool board_new(long times)
{
    board_bytes = sizeof *board + (size_t)times * sizeof board->times[0];
    void *memory = mmap(NULL, board_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                        0);
    if (memory == MAP_FAILED) return false;
    memset(memory, 0, board_bytes);      /* its pages are there before any measuring */
    board = memory;
    return true;
}

void board_free(void)
{
    munmap(board, board_bytes);
    board = NULL;
}

static int64_t real_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* In the child.  Its end shall leave no core file, and it shall not outlive its watcher. */
static _Noreturn void be_child(int errors, pid_t watcher)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != watcher) _exit(1);
    signal(SIGINT, SIG_IGN);             /* the board says when to stop */
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
    dup2(errors, STDERR_FILENO);
    close(errors);
    for (long i = 0; i < board->rounds && !board->soak; i++) board->times[i] = 0;
    _exit(node_run());
}

/* Reads what came; false at the end of it. */
static bool keep_words(int errors, struct ending *ending, size_t *length)
{
    char more[512];
    ssize_t got = read(errors, more, sizeof more);
    if (got < 0) return errno == EINTR;
    size_t room = sizeof ending->last_words - 1 - *length;
    size_t taken = (size_t)got < room ? (size_t)got : room;
    memcpy(ending->last_words + *length, more, taken);
    *length += taken;
    ending->last_words[*length] = '\0';
    return got > 0;
}

/* Until the child has closed its stderr: it has ended, or is killed for getting no further. */
static void watch(pid_t child, int errors, long limit_ms, void (*tick)(void),
                  struct ending *ending)
{
    size_t length = 0;
    int64_t since = real_ms();
    for (long seen = 0;;) {
        struct pollfd ready = { .fd = errors, .events = POLLIN };
        if (poll(&ready, 1, TICK_MS) == 1 && !keep_words(errors, ending, &length)) return;
        if (tick != NULL) tick();
        if (interrupted && !board->stop) {
            board->stop = true;
            since = real_ms();
        } else if (board->done != seen) {
            seen = board->done;
            since = real_ms();
        }
        if (real_ms() - since > (interrupted ? STOP_MS : limit_ms)) {
            ending->hung = true;
            kill(child, SIGKILL);
            since = real_ms();
        }
    }
}

bool child_run(long limit_ms, void (*tick)(void), struct ending *ret_ending)
{
    int errors[2];
    *ret_ending = (struct ending){ 0 };
    fflush(NULL);                        /* or the child's exit() prints it once more */
    if (pipe(errors) != 0) return false;
    pid_t self = getpid(), child = fork();
    if (child == 0) {
        close(errors[0]);
        be_child(errors[1], self);
    }
    close(errors[1]);
    if (child > 0) {
        watch(child, errors[0], limit_ms, tick, ret_ending);
        while (waitpid(child, &ret_ending->status, 0) == -1 && errno == EINTR) continue;
    }
    close(errors[0]);
    return child > 0;
}

void ending_format(const struct ending *ending, char *buffer, size_t size)
{
    if (ending->hung)
        snprintf(buffer, size, "hung");
    else if (WIFSIGNALED(ending->status))
        snprintf(buffer, size, "SIG%s", sigabbrev_np(WTERMSIG(ending->status)));
    else
        snprintf(buffer, size, "status %d", WEXITSTATUS(ending->status));
}
