/* signal.h - what travels between processes: messages, exits, links, monitors.
 *
 * A signal is one block from the sender's slab, pushed onto the receiver's incoming stack
 * (mailbox.h) and given back to the slab of whoever has done with it.  Every kind goes the
 * same way, so that the order between two processes holds over all kinds.
 *
 * `target` is the pid that was meant.  A process's memory is used again for another process
 * (process.h), and a sender may have looked just before: the receiver compares, and treats
 * what was meant for its predecessor as sent to the dead. */
#ifndef COPI_SIGNAL_H
#define COPI_SIGNAL_H

#include <coppice/message.h>

struct process;

enum signal_kind {
    SIGNAL_MESSAGE,      /* message */
    SIGNAL_EXIT,         /* from, reason: exit/2 */
    SIGNAL_EXIT_LINKED,  /* from, reason: a linked process ended */
    SIGNAL_LINK,         /* from */
    SIGNAL_UNLINK,       /* from, serial: to be acknowledged with the same serial */
    SIGNAL_UNLINK_ACK,   /* from, serial */
    SIGNAL_MONITOR,      /* from, serial: of the watcher */
    SIGNAL_DEMONITOR,    /* from, serial */
    SIGNAL_DOWN,         /* from, serial: of the watcher (the target); reason */
    SIGNAL_TIMER_DONE,   /* serial: a timer of the target has fired */
    SIGNAL_ROOM_WANTED,  /* from, serial: waits for room in the target's mailbox */
    SIGNAL_ROOM          /* serial: of the target's SIGNAL_ROOM_WANTED: there is room */
};

enum signal_flag {
    SIGNAL_FROM_TIMER = 1,     /* message.ref is a timer of the target, done now */
    SIGNAL_OWNED = 2,          /* a message in its process's list: `link` holds */
    SIGNAL_GONE = 4,           /* a message that was sent or freed; not yet taken */
    SIGNAL_REFUSED = 8,        /* an owned message that was received by nobody */
    SIGNAL_COUNTED = 16,       /* a message that is counted at its receiver: limit.h */
    SIGNAL_EXEMPT = 32,        /* a message that is not to be: a timer's */
    SIGNAL_UNSENT = 64,        /* an owned message that the sender is about to free */
    SIGNAL_MONITORS = 128,     /* a request by whose ref its sender monitors; no record says so */
    SIGNAL_ENDS_MONITOR = 256  /* through an alias on its way: sent by the process that is monitored
                                * with it, which has dropped its side of the monitor */
};

struct signal {
    struct signal *next;
    uint64_t target;
    union {
        uint64_t alias;        /* on its way: the serial of the alias it was sent through, or 0 */
        struct signal **link;  /* owned: what points to it */
    };
    uint8_t kind;
    uint8_t block_class;       /* of the slab */
    uint16_t flags;
    uint8_t reserved[4];
    union {
        cop_message message;   /* the payload follows */
        struct {
            cop_pid from;
            uint64_t serial;
            const cop_reason *reason;   /* owned */
        };
    };
};

static inline struct signal *copi_signal_of(const cop_message *message)
{
    return (struct signal *)((uintptr_t)message - offsetof(struct signal, message));
}

/* The signal of a message that a public function was given to send or to free.  One that is gone
 * already, or is a handler's and was not kept, is the caller's error and ends it. */
struct signal *copi_message_held(cop_message *message, const char *function);

/* A signal of a kind other than MESSAGE; takes the reason over.  There is room to turn exits
 * and downs into messages in place.  Ends the process or the node without memory: a
 * lost exit signal would be worse. */
struct signal *copi_signal_new(enum signal_kind kind, cop_pid from, uint64_t serial,
                               const cop_reason *reason);

/* Frees a signal of any kind and what it owns. */
void copi_signal_free(struct signal *signal);

/* Turns an exit into a cop_exit_message, a DOWN into a cop_down_message (name is owned by the
 * message afterwards, may be NULL); in place. */
void copi_signal_to_exit_message(struct signal *signal);
void copi_signal_to_down_message(struct signal *signal, char *name);

#endif
