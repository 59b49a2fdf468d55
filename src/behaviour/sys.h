/* sys.h - what the two sides of sys say to each other: requests of kind COP_SYSTEM, and replies. */
#ifndef COPI_SYS_H
#define COPI_SYS_H

#include <coppice/sys.h>

enum sys_request_kind {
    SYS_GET_STATE,
    SYS_REPLACE_STATE,
    SYS_SUSPEND,
    SYS_RESUME,
    SYS_GET_STATUS,
    SYS_STATISTICS_ON,
    SYS_STATISTICS,
    SYS_TRACE,
    SYS_LOG,
    SYS_GET_LOG,
    SYS_REQUESTS              /* how many there are */
};

/* A message type each, so that reports tell them apart. */
extern const cop_message_type copi_sys_types[SYS_REQUESTS];

/* The payload of all of them; the argument's bytes follow. */
struct sys_request {
    _Alignas(16) cop_sys_replace *replace;
    size_t size;              /* of the argument, of the state; entries of a log */
    bool on;
};

/* The payload of all replies; bytes may follow. */
typedef struct copi_sys_reply {
    _Alignas(16) int error;
    size_t count;             /* of the bytes, or the log's entries */
} copi_sys_reply;
extern const cop_message_type cop_type_copi_sys_reply;

#endif
