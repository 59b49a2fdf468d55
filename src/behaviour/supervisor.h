/* supervisor.h - between the two sides of a supervisor: how its process is started. */
#ifndef COPI_SUPERVISOR_H
#define COPI_SUPERVISOR_H

#include <coppice/dynamic_supervisor.h>

/* The argument of both kinds' init: the flags, copied, and what the flags' own init gets.  Bytes
 * that are to be copied for that follow, at `bytes`. */
struct supervisor_argument {
    union {
        cop_supervisor supervisor;
        cop_dynamic_supervisor dynamic;
    } flags;
    const void *argument;
    size_t argument_size;
    _Alignas(16) char bytes[];
};

static inline const void *copi_argument_of(const struct supervisor_argument *start)
{
    return start->argument_size > 0 ? start->bytes : start->argument;
}

/* Starts `server`, whose init takes a struct supervisor_argument made from flags and options. */
cop_started copi_supervisor_start(const cop_gen_server *server, const void *flags,
                                  size_t flags_size, const char *name,
                                  const cop_start_options *options);

/* Whether a cop_ok of the flags' init came with something that makes no sense there; such a value
 * is refused by the server if it is made to be. */
static inline bool copi_next_has_more(cop_next *next)
{
    bool more = next->reply != NULL || next->reason != NULL || next->continuation != NULL ||
                next->has_timeout;
    if (more) next->kind = COP_NEXT_NONE;
    return more;
}

/* In init: ends the start with error and a reason {about, {fault, Id}}, silently; id may be NULL.
 * Takes no reason. */
_Noreturn void copi_supervisor_refuse(int error, const char *about, const char *fault,
                                      const char *id);

extern const cop_gen_server copi_supervisor_server, copi_dynamic_supervisor_server;

#endif
