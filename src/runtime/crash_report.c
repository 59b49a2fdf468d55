/* crash_report.c - see crash_report.h. */
#include "crash_report.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <coppice/timer.h>

#include "../base/arena.h"
#include "../platform/core_file.h"
#include "node.h"

struct report {
    cop_crash_report report;              /* first: a pointer to it is one to this */
    _Atomic uint32_t references;
    cop_crash_ancestor ancestors[COP_CRASH_ANCESTORS_MAX];
    char text[];
};

static struct {
    pthread_mutex_t lock;
    uint64_t count;                       /* of the run; the newest is at (count - 1) % KEPT */
    struct report *kept[COP_CRASH_REPORTS_KEPT];
} ring = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- counting -------------------------------------------------------------------------- */

const cop_crash_report *cop_crash_report_ref(const cop_crash_report *report)
{
    if (report != NULL)
        atomic_fetch_add_explicit(&((struct report *)(uintptr_t)report)->references, 1,
                                  memory_order_relaxed);
    return report;
}

/* As cop_reason_unref: release on the way down, acquire at zero. */
void cop_crash_report_unref(const cop_crash_report *report)
{
    struct report *counted = (struct report *)(uintptr_t)report;
    if (report == NULL ||
        atomic_fetch_sub_explicit(&counted->references, 1, memory_order_acq_rel) != 1)
        return;
    cop_reason_unref(report->reason);
    free(counted);
}

/* ---- keeping --------------------------------------------------------------------------- */

static void keep(struct report *report)
{
    struct scheduler *scheduler = copi_scheduler;
    cop_crash_report_ref(&report->report);
    copi_enter(scheduler);
    pthread_mutex_lock(&ring.lock);
    struct report **place = &ring.kept[ring.count % COP_CRASH_REPORTS_KEPT];
    struct report *oldest = *place;
    *place = report;
    report->report.number = ++ring.count;
    pthread_mutex_unlock(&ring.lock);
    copi_leave(scheduler);
    if (oldest != NULL)
        cop_crash_report_unref(&oldest->report);
}

void copi_crash_reports_forget(void)
{
    for (int i = 0; i < COP_CRASH_REPORTS_KEPT; i++) {
        pthread_mutex_lock(&ring.lock);
        struct report *report = ring.kept[i];
        ring.kept[i] = NULL;
        ring.count = 0;
        pthread_mutex_unlock(&ring.lock);
        if (report != NULL)
            cop_crash_report_unref(&report->report);
    }
}

/* The caller's array is written to when the lock is free again: it may be a bad pointer. */
size_t cop_crash_reports(const cop_crash_report **ret_reports, size_t room)
{
    const cop_crash_report *found[COP_CRASH_REPORTS_KEPT];
    struct scheduler *scheduler = copi_scheduler;
    copi_enter(scheduler);
    pthread_mutex_lock(&ring.lock);
    size_t count = ring.count < COP_CRASH_REPORTS_KEPT ? ring.count : COP_CRASH_REPORTS_KEPT;
    size_t taken = room < count ? room : count;
    for (size_t i = 0; i < taken; i++)
        found[i] = cop_crash_report_ref(
            &ring.kept[(ring.count - 1 - i) % COP_CRASH_REPORTS_KEPT]->report);
    pthread_mutex_unlock(&ring.lock);
    copi_leave(scheduler);
    if (taken > 0)
        memcpy(ret_reports, found, taken * sizeof *found);
    return count;
}

/* ---- making ---------------------------------------------------------------------------- */

/* What there is to copy, before it is known how much room that takes. */
struct facts {
    char name[COP_NAME_MAX + 1];
    char label[256], message_type[256];
    char core[COPI_CORE_PATH_MAX];
    bool named, labelled, handling, has_core;
    size_t ancestors;
    cop_pid ancestor[COP_CRASH_ANCESTORS_MAX];
    char ancestor_name[COP_CRASH_ANCESTORS_MAX][COP_NAME_MAX + 1];
};

/* Not cleared as a whole: it is large, and a crash should not cost that. */
static void clear(struct facts *facts)
{
    facts->name[0] = facts->label[0] = facts->message_type[0] = facts->core[0] = '\0';
    facts->named = facts->labelled = facts->handling = facts->has_core = false;
    facts->ancestors = 0;
}

static bool copy_text(char *to, size_t size, const char *from)
{
    if (from == NULL)
        return false;
    size_t length = strnlen(from, size - 1);
    memcpy(to, from, length);
    to[length] = '\0';
    return true;
}

/* In the order that crash_report.h tells. */
static void read_own_texts(struct process *process, struct facts *facts)
{
    const char *label = process->label;
    process->label = NULL;
    copi_before_fault();
    facts->labelled = copy_text(facts->label, sizeof facts->label, label);
    process->label = label;

    const struct signal *last = process->current != NULL ? process->current : process->received;
    process->current = process->received = NULL;
    copi_before_fault();
    if (last != NULL && last->message.type != NULL)
        facts->handling = copy_text(facts->message_type, sizeof facts->message_type,
                                    last->message.type->name);
    process->flags &= (uint16_t)~PROCESS_REPORT;
}

static void read_family(struct facts *facts)
{
    size_t count = cop_ancestors(facts->ancestor, COP_CRASH_ANCESTORS_MAX);
    facts->ancestors = count < COP_CRASH_ANCESTORS_MAX ? count : COP_CRASH_ANCESTORS_MAX;
    for (size_t i = 0; i < facts->ancestors; i++)
        cop_name_of(facts->ancestor[i], facts->ancestor_name[i],
                    sizeof facts->ancestor_name[i]);
}

static void read_core(const struct process *process, struct facts *facts)
{
    const cop_crash *crash = cop_reason_crash(process->exit_reason);
    facts->has_core = crash != NULL && crash->core != 0;
    if (facts->has_core)
        copi_core_file_path(facts->core, sizeof facts->core, copi_node.options.core_directory,
                            crash->core);
}

/* Those in the mailbox and those on their way to it.  Only this thread takes signals out of
 * incoming, so that what is there stays there. */
static size_t count_messages(struct process *process)
{
    size_t count = process->mailbox_length;
    uint64_t pid = copi_pid(process).bits;
    struct signal *signal =
        copi_signals(atomic_load_explicit(&process->incoming, memory_order_acquire));
    for (; signal != NULL; signal = signal->next)
        count += signal->kind == SIGNAL_MESSAGE && signal->target == pid;
    return count;
}

/* Copies a text behind those that are there already. */
static const char *append(char **room, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*room, text, size);
    *room += size;
    return copy;
}

static size_t room_for(const struct facts *facts)
{
    size_t size = strlen(facts->name) + strlen(facts->label) + strlen(facts->message_type) +
                  strlen(facts->core) + 4;
    for (size_t i = 0; i < facts->ancestors; i++)
        size += strlen(facts->ancestor_name[i]) + 1;
    return size;
}

static struct report *report_new(const struct facts *facts)
{
    struct report *report = malloc(sizeof *report + room_for(facts));
    if (report == NULL)
        return NULL;
    report->report = (cop_crash_report){ 0 };
    char *room = report->text;
    atomic_init(&report->references, 1);
    report->report.name = facts->named ? append(&room, facts->name) : NULL;
    report->report.label = facts->labelled ? append(&room, facts->label) : NULL;
    report->report.message_type = facts->handling ? append(&room, facts->message_type) : NULL;
    report->report.core = facts->has_core ? append(&room, facts->core) : NULL;
    for (size_t i = 0; i < facts->ancestors; i++) {
        const char *name = facts->ancestor_name[i];
        report->ancestors[i].pid = facts->ancestor[i];
        report->ancestors[i].name = name[0] == '\0' ? NULL : append(&room, name);
    }
    report->report.ancestors = report->ancestors;
    report->report.ancestors_count = facts->ancestors;
    return report;
}

const cop_crash_report *copi_crash_report_make(struct process *process)
{
    struct facts facts;
    clear(&facts);
    facts.named = cop_name_of(copi_pid(process), facts.name, sizeof facts.name);
    read_own_texts(process, &facts);
    read_family(&facts);
    read_core(process, &facts);
    size_t memory_bytes = copi_arena_used(process->arena);

    struct report *report = report_new(&facts);
    if (report == NULL)
        return NULL;
    report->report.time_ns = cop_now_ns();
    report->report.process = copi_pid(process);
    report->report.reason = cop_reason_ref(process->exit_reason);
    report->report.mailbox_length = count_messages(process);
    report->report.memory_bytes = memory_bytes;
    keep(report);
    return &report->report;
}
