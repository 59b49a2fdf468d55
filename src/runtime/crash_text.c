/* crash_text.c - a crash report as text and as JSON: the second half of crash_report.h. */
#include <coppice/crash_report.h>

#include <inttypes.h>

#include "../base/text.h"
#include "../platform/fault.h"
#include "backtrace.h"
#include "reason.h"

static void add_pid(struct text *text, const char *before, cop_pid pid)
{
    char shown[40];
    cop_pid_format(pid, shown, sizeof shown);
    copi_text_add(text, "%s%s", before, shown);
}

static void add_reason(struct text *text, const cop_reason *reason)
{
    char shown[1024];
    cop_reason_format(reason, shown, sizeof shown);
    copi_text_add(text, "%s", shown);
}

/* ---- text ------------------------------------------------------------------------------ */

static void add_headline(struct text *text, const cop_crash_report *report)
{
    copi_text_add(text, "%lld.%03lld crash", (long long)(report->time_ns / 1000000000),
                  (long long)(report->time_ns / 1000000 % 1000));
    if (report->name != NULL)
        copi_text_add(text, " %s", report->name);
    else if (report->label != NULL)
        copi_text_add(text, " %s", report->label);
    add_pid(text, " ", report->process);
    if (report->message_type != NULL)
        copi_text_add(text, ", handling %s", report->message_type);
    copi_text_add(text, ": ");
    add_reason(text, report->reason);
    if (cop_reason_origin(report->reason) != NULL) {
        copi_text_add(text, ", because of ");
        add_reason(text, cop_reason_origin(report->reason));
    }
}

static void add_circumstances(struct text *text, const cop_crash_report *report)
{
    copi_text_add(text, "\n  ");
    if (report->name != NULL && report->label != NULL)
        copi_text_add(text, "labelled %s, ", report->label);
    copi_text_add(text, "%zu message%s in the mailbox, %zu bytes of memory",
                  report->mailbox_length, report->mailbox_length == 1 ? "" : "s",
                  report->memory_bytes);
    for (size_t i = 0; i < report->ancestors_count; i++) {
        const cop_crash_ancestor *ancestor = &report->ancestors[i];
        copi_text_add(text, "%s", i == 0 ? ", child of " : ", of ");
        if (ancestor->name != NULL)
            copi_text_add(text, "%s ", ancestor->name);
        add_pid(text, "", ancestor->pid);
    }
}

static void add_registers(struct text *text, const cop_crash *crash)
{
    for (unsigned i = 0; i < crash->registers; i++)
        copi_text_add(text, "%s%-6s %016" PRIx64, i % 4 == 0 ? "\n    " : "  ",
                      cop_crash_register(i), crash->register_values[i]);
}

int cop_crash_report_format(const cop_crash_report *report, char *buffer, size_t size)
{
    struct text text = copi_text(buffer, size);
    const cop_crash *crash = cop_reason_crash(report->reason);
    add_headline(&text, report);
    if (crash != NULL) {
        copi_text_add(&text, "\n  ");
        copi_reason_add_crash(&text, crash);
        add_registers(&text, crash);
    }
    add_circumstances(&text, report);
    if (report->core != NULL)
        copi_text_add(&text, "\n  core file in %s", report->core);
    return text.length;
}

/* ---- JSON ------------------------------------------------------------------------------ */

static void add_string(struct text *text, const char *key, const char *value)
{
    copi_text_add(text, ",\"%s\":", key);
    copi_text_add_json(text, value);
}

static void add_address(struct text *text, const char *key, uintptr_t address)
{
    copi_text_add(text, ",\"%s\":\"0x%" PRIxPTR "\"", key, address);
}

/* As cop_reason_format prints it, however long it is. */
static void add_reason_json(struct text *text, const char *key, const cop_reason *reason)
{
    if (reason == NULL) {
        add_string(text, key, NULL);
        return;
    }
    copi_text_add(text, ",\"%s\":\"", key);
    for (; reason != NULL; reason = cop_reason_cause(reason)) {
        copi_text_add(text, "%s", copi_reason_prefix(reason));
        copi_text_add_escaped(text, cop_reason_text(reason));
        copi_text_add(text, "%s", cop_reason_cause(reason) != NULL ? ":" : "");
    }
    copi_text_add(text, "\"");
}

static const char *known(const char *text)
{
    return text[0] == '\0' ? NULL : text;
}

static void add_frame_json(struct text *text, const cop_crash *crash, unsigned frame)
{
    struct symbol symbol;
    copi_backtrace_symbol(crash, frame, &symbol);
    copi_text_add(text, "%s{\"address\":\"0x%" PRIxPTR "\"", frame == 0 ? "" : ",",
                  (uintptr_t)crash->backtrace[frame]);
    add_string(text, "function", known(symbol.function));
    copi_text_add(text, ",\"offset\":%zu", symbol.offset);
    add_string(text, "file", known(symbol.file));
    copi_text_add(text, ",\"line\":%d", symbol.line);
    add_string(text, "module", known(symbol.module));
    add_address(text, "module_offset", symbol.module_offset);
    copi_text_add(text, "}");
}

static void add_crash_json(struct text *text, const cop_crash *crash)
{
    copi_text_add(text, ",\"crash\":{\"signal\":");
    copi_text_add_json(text, crash->signal == 0 ? NULL : copi_fault_name(crash->signal));
    copi_text_add(text, ",\"code\":%d,\"stack_overflow\":%s", crash->code,
                  crash->stack_overflow ? "true" : "false");
    add_string(text, "assertion", crash->assertion);
    add_string(text, "exit_function", crash->exit_function);
    if (crash->exit_function != NULL)
        copi_text_add(text, ",\"exit_status\":%d", crash->exit_status);
    else
        add_string(text, "exit_status", NULL);
    add_address(text, "address", (uintptr_t)crash->address);
    add_address(text, "pc", (uintptr_t)crash->pc);
    copi_text_add(text, ",\"registers\":{");
    for (unsigned i = 0; i < crash->registers; i++)
        copi_text_add(text, "%s\"%s\":\"0x%" PRIx64 "\"", i == 0 ? "" : ",", cop_crash_register(i),
                      crash->register_values[i]);
    copi_text_add(text, "},\"backtrace\":[");
    for (unsigned i = 0; i < crash->frames; i++)
        add_frame_json(text, crash, i);
    copi_text_add(text, "]}");
}

static void add_ancestors_json(struct text *text, const cop_crash_report *report)
{
    copi_text_add(text, ",\"ancestors\":[");
    for (size_t i = 0; i < report->ancestors_count; i++) {
        add_pid(text, i == 0 ? "{\"process\":\"" : ",{\"process\":\"", report->ancestors[i].pid);
        copi_text_add(text, "\"");
        add_string(text, "name", report->ancestors[i].name);
        copi_text_add(text, "}");
    }
    copi_text_add(text, "]");
}

int cop_crash_report_json(const cop_crash_report *report, char *buffer, size_t size)
{
    struct text text = copi_text(buffer, size);
    const cop_crash *crash = cop_reason_crash(report->reason);
    copi_text_add(&text, "{\"number\":%" PRIu64 ",\"time_ns\":%" PRId64, report->number,
                  report->time_ns);
    add_pid(&text, ",\"process\":\"", report->process);
    copi_text_add(&text, "\"");
    add_string(&text, "name", report->name);
    add_string(&text, "label", report->label);
    add_ancestors_json(&text, report);
    add_reason_json(&text, "reason", report->reason);
    add_reason_json(&text, "origin", cop_reason_origin(report->reason));
    add_string(&text, "message_type", report->message_type);
    copi_text_add(&text, ",\"mailbox_length\":%zu,\"memory_bytes\":%zu", report->mailbox_length,
                  report->memory_bytes);
    add_string(&text, "core", report->core);
    if (crash != NULL)
        add_crash_json(&text, crash);
    else
        add_string(&text, "crash", NULL);
    copi_text_add(&text, "}");
    return text.length;
}
