/* customer.h - a customer: the process that brings one request and stays until it is done. */
#ifndef FINANCIAL_CUSTOMER_H
#define FINANCIAL_CUSTOMER_H

#include "messages.h"

struct errand {
    struct request request;
    struct fault_plan plan;
    cop_pid front;
};

/* A customer -> the front, at the end. */
COP_MESSAGE(served, { enum outcome outcome; unsigned tries; });

/* [process] What a customer does; argument is a struct errand. */
void customer(void *argument);

#endif
