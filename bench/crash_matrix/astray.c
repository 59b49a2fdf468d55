/* astray.c - ways not to come back: loops and waits that only a kill ends. */
#include "faults.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <coppice/coppice.h>

#include "partner.h"

static volatile unsigned long counter;
static FILE *nowhere;
static int ends[2];

void astray_prepare(void)
{
    nowhere = fopen("/dev/null", "w");
    if (nowhere == NULL || pipe(ends) != 0) abort();
}

void astray_loop(void)
{
    for (;;) counter++;
}

void astray_snprintf(void)
{
    char text[64];
    for (;;) counter += (unsigned long)snprintf(text, sizeof text, "%lu", counter);
}

/* Each turn takes the stream's lock and makes a system call. */
void astray_fprintf(void)
{
    for (;;) {
        fprintf(nowhere, "%lu\n", counter++);
        fflush(nowhere);
    }
}

void astray_malloc(void)
{
    for (;;) free(malloc(100 + counter++ % 1000));
}

static int by_value(const void *a, const void *b)
{
    counter++;
    return *(const int *)a - *(const int *)b;
}

/* Sorts again and again. */
void astray_qsort(void)
{
    int numbers[200];
    for (;;) {
        for (int i = 0; i < 200; i++) numbers[i] = (int)(counter * 7919 % 1000);
        qsort(numbers, 200, sizeof *numbers, by_value);
    }
}

static int never_decides(const void *a, const void *b)
{
    (void)a, (void)b;
    for (;;) counter++;
    return 0;
}

/* Sorts once; the library never returns. */
void astray_in_callback(void)
{
    int numbers[2] = { 1, 2 };
    qsort(numbers, 2, sizeof *numbers, never_decides);
}

void astray_read(void)
{
    char byte;
    while (read(ends[0], &byte, 1) != 1) continue;
}

/* Calls its partner, which calls back and waits for the victim, which waits for it. */
void astray_deadlock(void)
{
    cop_must(cop_call_timeout("partner", DEADLOCK_MS, NULL, entangle, .with = cop_self()));
}
