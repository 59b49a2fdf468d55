/* io.h - file descriptors: waiting for one, reading, writing, owning.
 *
 * Concept.  cop_wait_fd parks the process, not its thread, until a descriptor can be read or
 * written: a socket, a pipe, a terminal, an eventfd, a timerfd, a pidfd, whatever poll(2) takes.
 * So any C library that has a non-blocking mode and shows its descriptor (libpq, libcurl,
 * librdkafka, libssh2, ...) fits: call it, and when it would block, wait for the descriptor and
 * call it again.
 *
 *     while (PQconsumeInput(db) && PQisBusy(db))
 *         cop_wait_fd(PQsocket(db), COP_READABLE, COP_INFINITY, NULL);
 *
 * The descriptor should be non-blocking (O_NONBLOCK): being ready is a hint; another reader may
 * have been faster.  Plain files are always ready, and reading them blocks the thread: that
 * is work for cop_blocking (blocking.h).
 *
 * Any number of processes may wait for one descriptor, to read, to write or both; all whose event
 * comes are woken.  One thread of the runtime's (epoll), started with the first wait, serves all.
 * A process that ends or times out leaves nothing behind there.
 *
 * Closing.  A descriptor that others may be waiting for is closed with cop_close: they get
 * COP_ECLOSED. The system tells nobody of a plain close(2), so they would wait on; and when the
 * number is given out again they would hear of the new file.
 *
 * In a deterministic run descriptors are looked at when no process can run, before the virtual
 * clock jumps to the next timer: data that is there is in time for every time-out, and a run
 * repeats if what comes through its descriptors comes from itself.  With no timer either, the run
 * waits for the descriptors. */
#ifndef COPPICE_IO_H
#define COPPICE_IO_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <coppice/error.h>
#include <coppice/memory.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- waiting --------------------------------------------------------------------------- */

enum cop_fd_event {
    COP_READABLE = 1,      /* a read, an accept would not block; also at its end or in error */
    COP_WRITABLE = 2       /* a write would not block, a connect is done; also in error */
};

/* [process] [may block] Waits until the descriptor is ready for one of `events`, for timeout_ms at
 * most (0 looks, COP_INFINITY).  *ret_events, unless NULL, gets those of them that it is ready for.
 * Returns 0; COP_ETIMEOUT; COP_ECLOSED when it is not open, or was closed with cop_close
 * meanwhile; COP_EINVAL for events that are none of these or a descriptor that cannot be waited for
 * (epoll's own); COP_ENOMEM. */
int cop_wait_fd(int fd, unsigned events, int64_t timeout_ms, unsigned *ret_events);

/* [any thread] Closes the descriptor, after those who wait for it were woken with COP_ECLOSED.
 * Returns 0; COP_ECLOSED when it was not open; COP_EIO when it was closed and what had been
 * written to it got lost (errno says why). */
int cop_close(int fd);

/* ---- reading and writing --------------------------------------------------------------- */

/* [process] [may block] Reads what is there, 1 to `size` bytes, waiting for it at most
 * timeout_ms.  Returns how many; 0 at the end; COP_ETIMEOUT; COP_ECLOSED; COP_EIO, with errno
 * saying why; COP_EINVAL when the descriptor is not non-blocking; COP_ENOMEM. */
int64_t cop_read(int fd, void *buffer, size_t size, int64_t timeout_ms);

/* [process] [may block] Writes all of it, waiting at most timeout_ms in all.  Returns `size`, or
 * less when time or the other side ended after that much; with nothing written, an error as
 * cop_read.  A broken connection, and a pipe whose reader is gone, are COP_EIO (EPIPE; runtime.h
 * says what becomes of SIGPIPE). */
int64_t cop_write(int fd, const void *buffer, size_t size, int64_t timeout_ms);

/* ---- owning ---------------------------------------------------------------------------- */

/* [process] The descriptor belongs to the process from now on: it is closed (cop_close) when the
 * process ends, however it ends, in its turn among what was deferred (memory.h).
 * cop_undefer(handle, true) closes it now; cop_undefer(handle, false) gives it up, still open. */
cop_deferred *cop_own_fd(int fd);

/* [process] The same for a stream, which is flushed and closed (fclose).  That happens on the
 * scheduler's thread: who cares about its errors, or writes to what may block, flushes before. */
cop_deferred *cop_own_file(FILE *file);

/* For COP_MESSAGE_WITH: the drop function of a message whose first field is an int, a descriptor
 * on its way, which is closed if nobody takes it.  So it is somebody's at every moment, whoever
 * dies:
 *
 *     COP_MESSAGE_WITH(connection, { int fd; }, cop_fd_drop);
 *
 *     cop_send(worker, connection, .fd = fd);           // who sent it has given it up
 *
 *     cop_message *message = cop_take(NULL, COP_INFINITY);
 *     connection *c = cop_payload(message);             // the receiver, not waiting in between,
 *     cop_own_fd(fd = c->fd);                           // owns it
 *     c->fd = -1;                                       // and leaves the message without one
 */
void cop_fd_drop(void *payload);

#ifdef __cplusplus
}
#endif
#endif
