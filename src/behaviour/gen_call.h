/* gen_call.h - calls of both kinds: to a server's callbacks, and to the server itself (sys.h). */
#ifndef COPI_GEN_CALL_H
#define COPI_GEN_CALL_H

#include <coppice/gen_server.h>

/* cop_call_message with a request of that kind: COP_CALL_REQUEST or COP_SYSTEM. */
int copi_call(cop_dest server, cop_message *request, enum cop_message_kind kind,
              int64_t timeout_ms, cop_message **ret_reply, const cop_reason **ret_reason);

#endif
