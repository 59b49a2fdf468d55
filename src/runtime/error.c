/* error.c - the error table of error.h. */
#include <coppice/error.h>

#include <stddef.h>

static const struct {
    int error;
    const char *name, *text;
} table[] = {
    { COP_OK, "ok", "success" },
    { COP_ENOMEM, "enomem", "no memory, stack or descriptor left" },
    { COP_EINVAL, "badarg", "an argument is wrong" },
    { COP_ENOPROC, "noproc", "no such process" },
    { COP_ETIMEOUT, "timeout", "the time ran out" },
    { COP_EDOWN, "down", "the process ended before it answered" },
    { COP_ESELF, "calling_self", "a process called itself" },
    { COP_EREPLY, "bad_reply", "the reply has another type than the request promises" },
    { COP_ELIMIT, "system_limit", "a limit of the runtime is reached" },
    { COP_ENAME, "name_taken", "the name is taken, or the process has one already" },
    { COP_EFAILED, "start_failed", "the start function failed" },
    { COP_EIGNORED, "ignore", "init returned ignore" },
    { COP_EALREADY_STARTED, "already_started", "it runs already" },
    { COP_EALREADY_PRESENT, "already_present",
      "the child's spec is there, the child is not running" },
    { COP_ERUNNING, "running", "the child is running" },
    { COP_ERESTARTING, "restarting", "the child is being restarted" },
    { COP_ENOT_FOUND, "not_found", "not found" },
    { COP_EMAX_CHILDREN, "max_children", "the supervisor has as many children as it may" },
    { COP_EDUPLICATE, "duplicate_child_name", "two children have the same id" },
    { COP_EOUTSIDE, "outside", "called outside of a process, or with no runtime running" },
    { COP_ECLOSED, "closed", "the descriptor is not open" },
    { COP_EIO, "eio", "input or output failed" },
    { COP_EFULL, "full", "the receiver's mailbox is full" },
};

static size_t row(int error)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].error == error)
            return i;
    return sizeof table / sizeof *table;
}

const char *cop_error_name(int error)
{
    size_t i = row(error);
    return i < sizeof table / sizeof *table ? table[i].name : "unknown_error";
}

const char *cop_error_text(int error)
{
    size_t i = row(error);
    return i < sizeof table / sizeof *table ? table[i].text : "unknown error";
}
