/* tree.h - the supervision tree, and the modules that stand in it.
 *
 * A constant that describes a module has the module's name, written as the Elixir original
 * writes it; it is also the name that its process is registered under, and the child's id. */
#ifndef FINANCIAL_TREE_H
#define FINANCIAL_TREE_H

#include <coppice/coppice.h>

/* The most that a server or a payment may have from cop_alloc; a leak ends it there. */
enum { WORKER_MEMORY = 256 * 1024 };

extern const cop_supervisor FinancialApp_Supervisor;

extern const cop_gen_server DatabasePool;           /* database_pool.c */
extern const cop_gen_server PaymentProcessor;       /* payment.c */
extern const cop_task_supervisor PaymentTaskSupervisor;
extern const cop_gen_server DonationProcessor;      /* donation.c */
extern const cop_gen_server DonationWorker;
extern const cop_gen_server NotificationService;    /* notification.c */

#endif
