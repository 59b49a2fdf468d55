/* report.h - what a person reads: the tree, the story, the progress, the table at the end.
 *
 * All of it goes to standard output.  On a terminal there is a progress bar and some colour
 * (unless NO_COLOR is set); otherwise the progress is lines, and with the same seed every byte
 * is the same. */
#ifndef FINANCIAL_REPORT_H
#define FINANCIAL_REPORT_H

#include <stdbool.h>

#include "ledger.h"
#include "tally.h"
#include "terminal.h"

struct report {
    struct terminal terminal;
    int32_t opening;                 /* the second of the day at which the clock starts */
    size_t requests;                 /* of the day */
    size_t tenths;                   /* of them that were reported */
    int64_t pace_ms;                 /* by the wall's clock, which nothing else looks at: */
    int64_t started_ms;              /* how long the day is to last, when it started, */
    int64_t drawn_ms;                /* when the bar was drawn */
};

/* `pace` is how many seconds the day is to last for those who watch it; negative: 5 on a
 * terminal, 0 (no limit) elsewhere. */
void report_open(struct report *report, const struct input *input, double pace);

/* Before the day. */
void report_restart(struct report *report, const cop_node_end *end);
void report_heading(struct report *report, const char *path, const struct input *input,
                    const char *ledger, double faults, uint64_t seed);
void report_tree(struct report *report, const cop_supervisor *top);

/* During the day; time_ns is the run's clock. */
void report_ending(struct report *report, const supervision *what, const char *outcome);
void report_note(struct report *report, int64_t time_ns, const char *note);
void report_straggler(struct report *report, int64_t time_ns, const char *path);
void report_progress(struct report *report, int64_t time_ns, const struct tally *tally);

/* After the day. */
void report_table(struct report *report, const struct input *input, struct tally *tally,
                  const cop_supervisor *top);
void report_last_crashes(struct report *report);
void report_check(struct report *report, const struct input *input,
                  const struct ledger_check *check);

#endif
