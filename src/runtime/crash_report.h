/* crash_report.h - making crash reports, and keeping the last ones.
 *
 * A report is one block: the public struct, a count, and all the texts it points to, so that it
 * outlives what they were copied from.
 *
 * The lock of those kept is taken last, in the runtime's own work, and only pointers and
 * counts are touched under it: no fault can leave it held but one that ends the node. */
#ifndef COPI_CRASH_REPORT_H
#define COPI_CRASH_REPORT_H

#include <coppice/crash_report.h>

struct process;

/* [process] In the cleanup, of the running process: makes the report and keeps it.  One reference
 * for the caller, or NULL without memory.
 *
 * What the process itself has written may be wild.  Its label and its last message are each taken
 * off it before they are read, and only then PROCESS_REPORT, so that after a fault here the
 * cleanup comes again and makes a report without that text.  After this a sink may crash, once. */
const cop_crash_report *copi_crash_report_make(struct process *process);

/* By cop_run, at its beginning: forgets those of the run before. */
void copi_crash_reports_forget(void);

#endif
