/* coppice.h - all of Coppice: supervision trees for C.
 *
 * Read in this order: process.h and message.h, reason.h, memory.h and timer.h,
 * runtime.h; then gen_server.h, child.h, supervisor.h, dynamic_supervisor.h, task.h; the others as
 * they are needed. */
#ifndef COPPICE_COPPICE_H
#define COPPICE_COPPICE_H

#include <coppice/error.h>
#include <coppice/reason.h>
#include <coppice/message.h>
#include <coppice/process.h>
#include <coppice/timer.h>
#include <coppice/memory.h>
#include <coppice/dictionary.h>
#include <coppice/crash_report.h>
#include <coppice/log.h>
#include <coppice/runtime.h>
#include <coppice/start.h>
#include <coppice/gen_server.h>
#include <coppice/sys.h>
#include <coppice/child.h>
#include <coppice/supervisor.h>
#include <coppice/dynamic_supervisor.h>
#include <coppice/task.h>
#include <coppice/partition_supervisor.h>
#include <coppice/registry.h>
#include <coppice/agent.h>
#include <coppice/application.h>
#include <coppice/blocking.h>
#include <coppice/io.h>
#include <coppice/mutex.h>
#include <coppice/guardian.h>
#include <coppice/sim.h>

#endif
