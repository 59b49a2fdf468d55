/* error.h - the one table of error codes.
 *
 * Concept.  Functions that can fail return an int: 0 (COP_OK) on success, one
 * of the negative values below otherwise.  Outputs (parameters called ret_...)
 * are written last and stay untouched on failure unless their function says
 * otherwise.  An error code says why a *function* failed; why a *process*
 * ended is another type, see reason.h.
 *
 * Threads.  Everything here may be called from any thread. */
#ifndef COPPICE_ERROR_H
#define COPPICE_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

enum cop_error {
    COP_OK = 0,
    COP_ENOMEM = -1,           /* no memory, no stack or no descriptor left */
    COP_EINVAL = -2,           /* an argument is wrong (OTP: badarg) */
    COP_ENOPROC = -3,          /* no such process, or no process has that name (noproc) */
    COP_ETIMEOUT = -4,         /* the time ran out (timeout) */
    COP_EDOWN = -5,            /* the process ended before it answered; a reason says why */
    COP_ESELF = -6,            /* a process called itself (calling_self) */
    COP_EREPLY = -7,           /* the answer has another type than the request promises */
    COP_ELIMIT = -8,           /* a limit of the runtime is reached (system_limit) */
    COP_ENAME = -9,            /* the name is taken, or the process already has one */
    COP_EFAILED = -10,         /* the start function failed; a reason says why */
    COP_EIGNORED = -11,        /* init returned ignore */
    COP_EALREADY_STARTED = -12,/* a process runs under that name or id; its pid is given */
    COP_EALREADY_PRESENT = -13,/* the child's spec is there, the child is not running */
    COP_ERUNNING = -14,        /* the child is running */
    COP_ERESTARTING = -15,     /* the child is being restarted */
    COP_ENOT_FOUND = -16,      /* no such child */
    COP_EMAX_CHILDREN = -17,   /* the dynamic supervisor is full */
    COP_EDUPLICATE = -18,      /* two children have the same id (duplicate_child_name) */
    COP_EOUTSIDE = -19,        /* called outside of a process, or with no runtime running */
    COP_ECLOSED = -20,         /* the descriptor is not open, or was closed meanwhile (closed) */
    COP_EIO = -21,             /* input or output failed; errno says why (eio) */
    COP_EFULL = -22            /* the receiver's mailbox is full: cop_mailbox_bound (full) */
};

/* [any thread] The error's name in OTP's words, such as "noproc" or
 * "already_present"; "unknown_error" for a value not in the table.  Static. */
const char *cop_error_name(int error);

/* [any thread] One English sentence without a full stop, for people.  Static. */
const char *cop_error_text(int error);

#ifdef __cplusplus
}
#endif
#endif
