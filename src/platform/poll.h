/* poll.h - which descriptors are ready: asking for one now, and waiting for many.
 *
 * A poll set (epoll on Linux) holds descriptors by number.  One that is armed is reported once and
 * then stays in the set, disarmed.  The system takes a closed descriptor out by itself, unless the
 * same open file is kept by another number or by another operating-system process; then
 * a report may come for a number that means another file by now, so a report is a hint, to be
 * checked by copi_poll_now.
 *
 * Threads: arm, disarm and ring from any; wait from one. */
#ifndef COPI_POLL_H
#define COPI_POLL_H

#include <stdbool.h>
#include <stdint.h>

enum poll_event { COPI_POLL_READ = 1, COPI_POLL_WRITE = 2 };

struct poll_set { int set, bell; };
struct poll_report { int fd; unsigned events; };

/* Which of the events the descriptor is ready for, without waiting; -1 if it is not open.  An
 * error or a hang-up is readiness for all: the next call will tell.  Plain files are always
 * ready. */
int copi_poll_now(int fd, unsigned events);

bool copi_poll_open(struct poll_set *set);
void copi_poll_close(struct poll_set *set);

/* Arms a descriptor for one report of any of the events.  Returns 0, or the system's errno. */
int copi_poll_arm(const struct poll_set *set, int fd, unsigned events);

/* Takes it out; nothing if it is not in. */
void copi_poll_disarm(const struct poll_set *set, int fd);

/* Waits for reports, at most `room` of them (< 0 ms: no limit).  Returns how many; may be 0
 * early, and is when the bell was rung, which it stays. */
int copi_poll_wait(const struct poll_set *set, struct poll_report *ret_reports, int room,
                   int timeout_ms);
void copi_poll_ring(const struct poll_set *set);

#endif
