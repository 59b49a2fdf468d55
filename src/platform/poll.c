/* poll.c - poll.h for Linux: poll, epoll, eventfd. */
#define _GNU_SOURCE
#include "poll.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../base/assert.h"
#include "../base/hostile.h"
#include "../base/scarcity.h"

enum { REPORTS_MAX = COPI_LIMIT(64, 1) };

int copi_poll_now(int fd, unsigned events)
{
    struct pollfd one = { .fd = fd };
    if (events & COPI_POLL_READ)
        one.events |= POLLIN;
    if (events & COPI_POLL_WRITE)
        one.events |= POLLOUT;
    if (fd < 0)
        return -1;
    while (poll(&one, 1, 0) < 0)
        if (errno != EINTR && errno != EAGAIN)
            return 0;                     /* no memory: not known to be ready */
    if (one.revents & POLLNVAL)
        return -1;
    unsigned ready = 0;
    if (one.revents & (POLLIN | POLLHUP | POLLERR))
        ready |= COPI_POLL_READ;
    if (one.revents & (POLLOUT | POLLHUP | POLLERR))
        ready |= COPI_POLL_WRITE;
    return (int)(ready & events);
}

bool copi_poll_open(struct poll_set *set)
{
    set->set = copi_is_refused(SCARCE_DESCRIPTOR) ? -1 : epoll_create1(EPOLL_CLOEXEC);
    if (set->set < 0)
        return false;
    set->bell = copi_is_refused(SCARCE_DESCRIPTOR) ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = { .events = EPOLLIN, .data.fd = -1 };
    if (set->bell >= 0 && epoll_ctl(set->set, EPOLL_CTL_ADD, set->bell, &event) == 0)
        return true;
    if (set->bell >= 0)
        close(set->bell);
    close(set->set);
    return false;
}

void copi_poll_close(struct poll_set *set)
{
    close(set->bell);
    close(set->set);
}

/* Whether the number is in the set already depends on what was closed meanwhile: try both. */
int copi_poll_arm(const struct poll_set *set, int fd, unsigned events)
{
    struct epoll_event event = { .events = EPOLLONESHOT, .data.fd = fd };
    if (events & COPI_POLL_READ)
        event.events |= EPOLLIN;
    if (events & COPI_POLL_WRITE)
        event.events |= EPOLLOUT;
    if (epoll_ctl(set->set, EPOLL_CTL_MOD, fd, &event) == 0)
        return 0;
    if (errno == ENOENT && copi_is_refused(SCARCE_DESCRIPTOR))
        return ENOSPC;
    if (errno == ENOENT && epoll_ctl(set->set, EPOLL_CTL_ADD, fd, &event) == 0)
        return 0;
    return errno;
}

void copi_poll_disarm(const struct poll_set *set, int fd)
{
    struct epoll_event unused = { .events = 0 };
    epoll_ctl(set->set, EPOLL_CTL_DEL, fd, &unused);
}

int copi_poll_wait(const struct poll_set *set, struct poll_report *ret_reports, int room,
                   int timeout_ms)
{
    struct epoll_event events[REPORTS_MAX];
    int most = room < REPORTS_MAX ? room : REPORTS_MAX, reports = 0;
    int count = epoll_wait(set->set, events, most, timeout_ms);
    for (int i = 0; i < count; i++) {
        if (events[i].data.fd < 0)
            continue;                     /* the bell */
        unsigned ready = 0;
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            ready |= COPI_POLL_READ;
        if (events[i].events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
            ready |= COPI_POLL_WRITE;
        ret_reports[reports++] = (struct poll_report){ events[i].data.fd, ready };
    }
    return reports;
}

void copi_poll_ring(const struct poll_set *set)
{
    uint64_t one = 1;
    ssize_t written = write(set->bell, &one, sizeof one);
    COP_ASSERT(written == (ssize_t)sizeof one);
}
