/* memory.h - what a process owns: memory, and actions for its end.
 *
 * Concept.  Memory from cop_alloc belongs to the calling process and is gone when it ends,
 * however it ends.  cop_defer names an action to run at that moment: close a descriptor, finish a
 * database handle.  Actions run newest first, before any link or monitor hears of the death; a
 * crash inside one is contained and the rest still runs.  io.h has the ready-made ones for
 * descriptors and streams, cop_own_buffer is the one for shared bytes; a mutex (mutex.h) and a
 * running blocking function (blocking.h) are deferred actions, too.  After them go, in this
 * order, its timers and messages, its name, its dictionary and its memory: an action may use them
 * all.  OTP has heaps and ports for this; C needs it said.
 *
 * Threads.  [process] all of it; a block must be freed by the process that owns it,
 * and other processes must not use it after that one has ended. */
#ifndef COPPICE_MEMORY_H
#define COPPICE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* [process] `size` zeroed bytes, aligned for any type, owned by the process.  Without
 * memory the process ends with error enomem, so the result is never NULL. */
void *cop_alloc(size_t size);

/* [process] Resizes; the bytes beyond the old size are zero.  NULL allocates. */
void *cop_realloc(void *block, size_t size);

/* [process] A copy of the string. */
char *cop_strdup(const char *text);

/* [process] Gives a block back before the process's end.  NULL is accepted. */
void cop_free(void *block);

/* [process] Bytes that the process has from cop_alloc now. */
size_t cop_memory_used(void);

/* [process] Limits what the process may have from cop_alloc: the request that goes beyond ends it
 * with error "enomem: max_memory".  Deferred actions are not limited.  If it has more already, that
 * stays; an argument that is copied at its start counts, messages do not (cop_limit_mailbox), nor
 * what it takes from malloc.  0: no limit.  Returns 0 or COP_ENOMEM. */
int cop_limit_memory(size_t max_memory);

typedef void cop_cleanup(void *argument);
typedef struct cop_deferred cop_deferred;

/* [process] Runs action(argument) when the process ends, newest first, in the process
 * (cop_self holds).  The action must not wait: a receive in it ends that action.  Without memory
 * for it, or beyond max_memory, it runs at once and the process ends: what it is to give back is
 * never left behind. */
cop_deferred *cop_defer(cop_cleanup *action, void *argument);

/* [process] Takes an action off again; with run, runs it now. */
void cop_undefer(cop_deferred *deferred, bool run);

/* ---- shared bytes ---------------------------------------------------------------------- */

/* Immutable bytes shared by reference count, for payloads too large to copy. */
typedef struct cop_buffer cop_buffer;

/* [any thread] A copy of `size` bytes, one reference; NULL without memory. */
cop_buffer *cop_buffer_new(const void *bytes, size_t size);
cop_buffer *cop_buffer_ref(cop_buffer *buffer);
void cop_buffer_unref(cop_buffer *buffer);   /* NULL is accepted */
const void *cop_buffer_bytes(const cop_buffer *buffer);
size_t cop_buffer_size(const cop_buffer *buffer);

/* [process] The caller's reference belongs to the process from now on: it is given back when the
 * process ends, however it ends, in its turn among what was deferred.  cop_undefer(handle, true)
 * gives it back now; cop_undefer(handle, false) leaves it to the caller, to send on for example. */
cop_deferred *cop_own_buffer(cop_buffer *buffer);

/* For COP_MESSAGE_WITH: the drop function of a message whose only field is a
 * `cop_buffer *`. */
void cop_buffer_drop(void *payload);

#ifdef __cplusplus
}
#endif
#endif
