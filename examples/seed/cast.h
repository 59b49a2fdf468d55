/* cast.h - who plays in the examples: servers that crash when told to, and a stage.
 *
 * The seed's supervisors have children that it does not define (PaymentProcessor and so on).  Here
 * they are servers that count their instances: a new instance after a restart has the next
 * number.  Examples run with a virtual clock, so they take no time and print the same each time. */
#ifndef CAST_H
#define CAST_H

#include <coppice/coppice.h>

#include <stdio.h>

/* Servers registered under their names. */
extern const cop_gen_server payment_processor, donation_processor, notification_service,
    invoice_tracker, connection_manager, query_executor, database_pool, database, query_cache,
    connection_pool, connection_monitor, payment_api, donation_api, payment_worker,
    donation_worker, notification_worker, payment_worker_1, payment_worker_2, donation_worker_1,
    donation_worker_2, worker_1, worker_2;

/* Makes the server of that name crash, and waits until everybody has reacted. */
void crash(const char *name);

/* Waits until everybody has reacted to what has happened so far. */
void settle(void);

/* Prints the children of a supervisor, oldest first, and theirs: `name (instance 2)`. */
void show(const char *title, cop_pid supervisor);

/* Stops the supervisor if it still runs; from now on instances are counted from 1 again. */
void end_scene(cop_pid supervisor);

/* The reason as text; valid until the next call. */
const char *reason_text(const cop_reason *reason);

/* Runs the story as the first process; for main.  What could not be printed is a failure. */
int play(cop_function *story);
#define PLAY(story_)                                                                     \
    int main(void) { return play(story_); }

#endif
