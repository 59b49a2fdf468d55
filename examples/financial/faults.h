/* faults.h - the faults that strike during the day, and where.
 *
 * Concept.  When a request comes in it is decided by chance whether it will meet a fault,
 * of which kind and at which place on its way.  The fault travels with the request; the code at
 * that place calls fault_point and crashes, for real.  A request that is sent again meets
 * its fault no more, unless its plan says so.
 *
 * Threads.  [process] all of it; the chance comes from the run's seed. */
#ifndef FINANCIAL_FAULTS_H
#define FINANCIAL_FAULTS_H

enum fault_kind {
    ERROR_EXIT,           /* cop_raise */
    NULL_WRITE,           /* SIGSEGV */
    FAILED_ASSERT,
    ABORT,                /* SIGABRT */
    DIVISION_BY_ZERO,     /* SIGFPE */
    RUNAWAY_RECURSION,    /* stack overflow */
    LEAK,                 /* as much memory as it may have, and then some */
    FAULT_KINDS
};

enum fault_place {
    NOWHERE,
    IN_PROCESSOR,         /* before the request is handed on */
    BEFORE_WRITE,         /* the worker has not written to the ledger */
    DURING_WRITE,         /* it waits for the write, which is under way */
    AFTER_WRITE,          /* the write is committed, and nobody told */
    IN_DATABASE,          /* the connection, between INSERT and COMMIT */
    IN_NOTIFICATION       /* the request is done, its receipt is not sent */
};

struct fault {
    enum fault_place place;
    enum fault_kind kind;
};

/* What is in store for a request. */
struct fault_plan {
    struct fault fault;
    unsigned strikes;         /* how many times it is met: 0 never, 1 as a rule */
    const char *killed;       /* a supervisor that is killed when the request comes, or NULL */
};

/* Crashes the calling process if the fault's place is here. */
void fault_point(struct fault fault, enum fault_place here);

/* Draws a request's plan.  `rate` is the share of requests whose worker
 * crashes; the database, or a whole subsystem, meets one twentieth of that. */
struct fault_plan fault_plan_draw(double rate);

#endif
