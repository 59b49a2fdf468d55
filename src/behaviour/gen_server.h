/* gen_server.h - a server's control block, and its side of sys.h.
 *
 * gen_server.c runs the callbacks; gen_server_sys.c answers what is asked of the server itself, and
 * keeps the observer, which exists only while somebody counts, traces or logs messages. */
#ifndef COPI_GEN_SERVER_H
#define COPI_GEN_SERVER_H

#include <coppice/sys.h>

enum { NO_TIMEOUT = -1 };

struct observer;

/* The wait for the next message. */
struct wait {
    int64_t timeout_ms;       /* or NO_TIMEOUT */
    int64_t until_ns;         /* when that is over */
};

/* The control block; the state follows, aligned for any type. */
struct server {
    _Alignas(16) const cop_gen_server *callbacks;
    cop_pid parent;           /* whose exit ends the server: who linked to it by starting it */
    union {
        const void *argument;         /* until init has it; &behind_state: what lies behind it */
        struct observer *observer;    /* from then on: who watches, or NULL */
    };
    struct wait *wait;        /* once a callback has asked for a timeout; else NULL */
};

static inline void *copi_server_state(struct server *server)
{
    return server + 1;
}

/* Answers a request to the server itself.  Returns whether the server is suspended from now on;
 * `suspended`: whether it is. */
bool copi_server_system(struct server *server, const cop_message *request, bool suspended);

/* A message that goes to a callback; a reply that came from one, before it is sent.  For servers
 * with an observer. */
void copi_observe_in(struct observer *observer, const cop_message *message);
void copi_observe_out(struct observer *observer, cop_from from, const cop_message *reply);

#endif
