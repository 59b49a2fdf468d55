/* io.c - reading, writing and owning descriptors, on top of cop_wait_fd and cop_defer. */
#include <coppice/io.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <coppice/message.h>
#include <coppice/timer.h>

#include "scheduler.h"
#include "wait.h"

/* ---- reading and writing --------------------------------------------------------------- */

/* Others have a turn now and then, too.  A descriptor that blocks would block the thread. */
static int begin(int fd, const char *function)
{
    copi_self_checked(function);
    copi_wait_turn();
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return COP_ECLOSED;
    return (flags & O_NONBLOCK) != 0 ? COP_OK : COP_EINVAL;
}

static bool would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK;
}

static int failure(void)
{
    return errno == EBADF ? COP_ECLOSED : COP_EIO;
}

/* What is left of a time-out that began at start_ms. */
static int64_t time_left(int64_t timeout_ms, int64_t start_ms)
{
    if (timeout_ms < 0)
        return COP_INFINITY;
    int64_t passed = cop_now_ms() - start_ms;
    return passed < timeout_ms ? timeout_ms - passed : 0;
}

int64_t cop_read(int fd, void *buffer, size_t size, int64_t timeout_ms)
{
    int error = begin(fd, "cop_read");
    int64_t start_ms = cop_now_ms();
    while (error == COP_OK) {
        ssize_t count = read(fd, buffer, size);
        if (count >= 0)
            return count;
        if (would_block())
            error = cop_wait_fd(fd, COP_READABLE, time_left(timeout_ms, start_ms), NULL);
        else if (errno != EINTR)
            error = failure();
    }
    return error;
}

/* Without SIGPIPE where the system can. */
static ssize_t write_some(int fd, const char *bytes, size_t size)
{
    ssize_t count = send(fd, bytes, size, MSG_NOSIGNAL);
    return count < 0 && errno == ENOTSOCK ? write(fd, bytes, size) : count;
}

int64_t cop_write(int fd, const void *buffer, size_t size, int64_t timeout_ms)
{
    const char *bytes = buffer;
    size_t written = 0;
    int error = begin(fd, "cop_write");
    int64_t start_ms = cop_now_ms();
    while (error == COP_OK && written < size) {
        ssize_t count = write_some(fd, bytes + written, size - written);
        if (count >= 0)
            written += (size_t)count;
        else if (would_block())
            error = cop_wait_fd(fd, COP_WRITABLE, time_left(timeout_ms, start_ms), NULL);
        else if (errno != EINTR)
            error = failure();
    }
    return written > 0 || error == COP_OK ? (int64_t)written : error;
}

/* ---- owning ---------------------------------------------------------------------------- */

static void close_fd(void *argument)
{
    cop_close((int)(intptr_t)argument);
}

cop_deferred *cop_own_fd(int fd)
{
    return cop_defer(close_fd, (void *)(intptr_t)fd);
}

void cop_fd_drop(void *payload)
{
    int fd = *(const int *)payload;
    if (fd >= 0)
        cop_close(fd);
}

/* A process that has crashed may leave a stream that crashes whoever writes out what it holds;
 * then at least its descriptor is closed. */
static void close_file(void *argument)
{
    FILE *file = argument;
    int fd = fileno(file);
    if (fd >= 0) {
        cop_deferred *rest = cop_own_fd(fd);
        fflush(file);
        cop_undefer(rest, false);
    }
    fclose(file);
}

cop_deferred *cop_own_file(FILE *file)
{
    return cop_defer(close_file, file);
}
