/* core_file.c - core_file.h for Linux. */
#define _GNU_SOURCE
#include "core_file.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

int copi_core_file_path(char *buffer, size_t size, const char *directory, unsigned number)
{
    return snprintf(buffer, size, "%s/crash-%d-%u", directory, (int)copi_program_pid(), number);
}

/* In the copy.  The system puts the file into the working directory, under a name of its own,
 * unless it is told otherwise (core(5)). */
static void prepare_to_die(const char *path)
{
    struct rlimit limit;
    if (chdir(path) != 0)
        copi_program_exit(WAY_AT_ONCE, 1);
    getrlimit(RLIMIT_CORE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_CORE, &limit);
}

/* The program hears nothing of this child: its end sends no signal, and only who asks for it by
 * __WALL is told.  clone itself, not fork, whose handlers (pthread_atfork) may take locks. */
enum core_file_result copi_core_file_take(const char *path)
{
    sigset_t all, before;
    int status = 0;
    long waited;
    if (mkdir(path, 0700) != 0)
        return CORE_FILE_NONE;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    long child = syscall(SYS_clone, 0L, 0L, 0L, 0L, 0L);
    if (child == 0) {
        prepare_to_die(path);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return CORE_FILE_IN_COPY;
    }
    do {
        waited = child < 0 ? child : syscall(SYS_wait4, child, &status, __WALL, NULL);
    } while (waited == -1 && child > 0 && errno == EINTR);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rmdir(path) == 0 || child < 0 || !WIFSIGNALED(status) || !WCOREDUMP(status))
        return CORE_FILE_NONE;
    return CORE_FILE_WRITTEN;
}

void copi_core_file_die(int number)
{
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, number);
    signal(number, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &only, NULL);
    syscall(SYS_tgkill, syscall(SYS_getpid), syscall(SYS_gettid), number);
    copi_program_exit(WAY_AT_ONCE, 128 + number);
}
