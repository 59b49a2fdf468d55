/* supervisor.h - between the two sides of a supervisor: how its process is started. */
#ifndef COPI_SUPERVISOR_H
#define COPI_SUPERVISOR_H

#include <coppice/dynamic_supervisor.h>

#include "child.h"

/* The argument of both kinds' init: the flags, copied, and what the flags' own init gets.  Bytes
 * that are to be copied for that follow, at `bytes`, and behind them the specs that the flags lead
 * to, packed: the starter may be killed while the supervisor reads them. */
struct supervisor_argument {
    union {
        cop_supervisor supervisor;
        cop_dynamic_supervisor dynamic;
    } flags;
    const void *argument;
    size_t argument_size;
    size_t specs_at, spec_count;        /* in bytes; 0: there are none */
    _Alignas(16) char bytes[];
};

static inline const void *copi_argument_of(const struct supervisor_argument *start)
{
    return start->argument_size > 0 ? start->bytes : start->argument;
}

/* In init, once: the specs; NULL if there are none. */
static inline const cop_child_spec *copi_specs_of(const struct supervisor_argument *start)
{
    char *bytes = (char *)(uintptr_t)start->bytes;       /* the process's own copy */
    return start->spec_count == 0 ? NULL
                                  : copi_specs_unpack(bytes + start->specs_at, start->spec_count);
}

/* Those of a dynamic supervisor: the template, and one whose argument is the extra bytes. */
enum { COPI_TEMPLATE, COPI_EXTRA, COPI_DYNAMIC_SPECS };

/* What both kinds are started from. */
struct supervisor_flags {
    const void *flags;                  /* NULL: the start is refused */
    size_t size;
    const char *name;
    const cop_child_spec *specs;        /* those that the flags lead to */
    size_t spec_count;
};

/* Starts `server`, whose init takes a struct supervisor_argument made from flags and options. */
cop_started copi_supervisor_start(const cop_gen_server *server,
                                  const struct supervisor_flags *flags,
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
