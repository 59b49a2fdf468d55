/* report.c - the bytes are the names, labels and reasons of a process that ends badly: its report
 * is valid JSON whatever they hold, and a text that is too long for its buffer is cut cleanly. */
#include <coppice/coppice.h>

#include <stdio.h>
#include <stdlib.h>

#include "lib/fuzz.h"
#include "lib/json.h"

enum { TEXT = 1 << 16, LONG = 200, CAUSES = 12 };

/* What the process is to be and to end of.  One run at a time has it. */
static struct plan {
    struct bytes bytes;
    char name[300], label[LONG], child_name[300];
    cop_message_type type;
    char type_name[LONG];
} plan;

static cop_message *letter(void)
{
    plan.type = (cop_message_type){ .name = plan.type_name, .size = 1 };
    return cop_message_new(&plan.type, NULL, 0);
}

/* A chain of tuples, an atom or an error at its end, perhaps with an origin. */
static const cop_reason *some_reason(int depth)
{
    char text[LONG];
    unsigned kind = bytes_take(&plan.bytes) % 8;
    if (depth > CAUSES || kind < 2)
        return cop_reason_atom(bytes_text(&plan.bytes, text, sizeof text));
    if (kind < 4)
        return cop_reason_error("%s", bytes_text(&plan.bytes, text, sizeof text));
    bytes_text(&plan.bytes, text, sizeof text);
    if (kind < 7)
        return cop_reason_tuple(text, some_reason(depth + 1));
    const cop_reason *origin = some_reason(depth + 1);
    return cop_reason_because(some_reason(depth + 1), origin);
}

static void ends(void *argument)
{
    (void)argument;
    unsigned how = bytes_take(&plan.bytes);
    int *volatile nowhere = NULL;
    if ((how & 1) != 0) cop_register(plan.name);
    if ((how & 2) != 0) cop_set_label(plan.label);
    if ((how & 4) != 0) {
        cop_send_message(cop_to(cop_self()), letter());
        cop_receive(0);
    }
    switch (how >> 3 & 7) {
    case 0: abort();
    case 1: *nowhere = 1; break;
    case 2: exit((int)how);
    default: cop_exit(some_reason(0));
    }
}

static void begins(void *argument)
{
    cop_ref ref;
    if ((bytes_take(&plan.bytes) & 1) != 0) cop_register(plan.child_name);
    cop_spawn_monitor(ends, argument, 0, &ref);
    cop_receive_match(&(cop_match){ .ref = ref }, COP_INFINITY);
}

typedef int format_function(const cop_crash_report *report, char *buffer, size_t size);

/* What fits is the beginning of the whole text, ended by a NUL, and nothing lies behind it. */
static void check_cut(const cop_crash_report *report, format_function *format, const char *whole,
                      int length, size_t size)
{
    char *cut = malloc(size);
    FUZZ_CHECK(cut != NULL);
    FUZZ_CHECK(format(report, cut, size) == length);
    size_t kept = (size_t)length < size ? (size_t)length : size - 1;
    FUZZ_CHECK(memcmp(cut, whole, kept) == 0 && cut[kept] == '\0');
    free(cut);
}

static void check_text(const cop_crash_report *report, format_function *format, bool json)
{
    char *whole = malloc(TEXT);
    FUZZ_CHECK(whole != NULL);
    int length = format(report, whole, TEXT);
    FUZZ_CHECK(length >= 0 && length < TEXT && strlen(whole) == (size_t)length);
    FUZZ_CHECK(format(report, NULL, 0) == length);
    if (json && (!json_is_valid(whole, (size_t)length) || strchr(whole, '\n') != NULL))
        fuzz_fail("this is no JSON: %s", whole);
    for (int i = 0; i < 4; i++)
        check_cut(report, format, whole, length, 1 + bytes_number(&plan.bytes, 2) % TEXT);
    free(whole);
}

static void see_event(const cop_log_event *event, void *context)
{
    char text[100];
    (void)context;
    FUZZ_CHECK(cop_log_format(event, text, sizeof text) > 0);
}

void fuzz_one(struct bytes *bytes)
{
    bytes_text(bytes, plan.name, sizeof plan.name);
    bytes_text(bytes, plan.child_name, sizeof plan.child_name);
    bytes_text(bytes, plan.label, sizeof plan.label);
    bytes_text(bytes, plan.type_name, sizeof plan.type_name);
    plan.bytes = *bytes;
    const cop_run_options options = { .deterministic = true, .log = see_event };
    FUZZ_CHECK(cop_run(begins, NULL, &options) == 0);
    const cop_crash_report *reports[2];
    size_t count = cop_crash_reports(reports, 2);
    FUZZ_CHECK(count <= 1);
    for (size_t i = 0; i < count; i++) {
        check_text(reports[i], cop_crash_report_json, true);
        check_text(reports[i], cop_crash_report_format, false);
        cop_crash_report_unref(reports[i]);
    }
}
