/* report.c - what a person reads. */
#include "report.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    CLOCK_WIDTH = 8,             /* 09:30:05 */
    WHO_WIDTH = 22,              /* NotificationSupervisor */
    WHY_WIDTH = 17,              /* runaway recursion */
    WHO_COLUMN = CLOCK_WIDTH + 1,
    WHY_COLUMN = WHO_COLUMN + WHO_WIDTH + 1,
    OUTCOME_COLUMN = WHY_COLUMN + WHY_WIDTH + 2,
    OUTCOME_WIDTH = 29,          /* restarted with DonationWorker */
    BAR_LEAST = 10,              /* columns of the progress bar */
    BAR_MOST = 40,
    REDRAW_MS = 40,
    USUAL_PACE_SECONDS = 5,
    TEXT_BYTES = 1024
};

static int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A line of text; with WRAP it may become several. */
enum wrap { AS_IT_IS, WRAP };

__attribute__((format(printf, 4, 5)))
static void put_line(struct report *report, enum style style, enum wrap wrap, const char *format,
                     ...)
{
    char text[TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (wrap == WRAP) terminal_put_words(&report->terminal, style, text, 0);
    else terminal_put(&report->terminal, style, text);
    terminal_end_line(&report->terminal);
}

void report_open(struct report *report, const struct input *input, double pace)
{
    *report = (struct report){ .requests = input->count };
    terminal_open(&report->terminal);
    if (pace < 0) pace = report->terminal.live ? USUAL_PACE_SECONDS : 0;
    report->pace_ms = (int64_t)(pace * 1000);
    report->started_ms = wall_ms();
    assert(input->count > 0);
    int32_t first = input->requests[0].second;
    for (size_t i = 1; i < input->count; i++) {
        if (input->requests[i].second < first) first = input->requests[i].second;
    }
    report->opening = first / 3600 * 3600;
}

/* ---- before the day -------------------------------------------------------------------- */

void report_heading(struct report *report, const char *path, const struct input *input,
                    const char *ledger, double faults, uint64_t seed)
{
    char lines[REQUEST_TEXT_BYTES], invoices[REQUEST_TEXT_BYTES], donations[REQUEST_TEXT_BYTES];
    put_line(report, BOLD, AS_IT_IS, "A day's business on Coppice " COP_VERSION);
    put_line(report, PLAIN, WRAP, "%s requests from %s: %s invoices, %s donations",
             format_count(input->count, lines), path, format_count(input->lines[INVOICE], invoices),
             format_count(input->lines[DONATION], donations));
    put_line(report, PLAIN, WRAP, "ledger %s, faults %g, seed %" PRIu64, ledger, faults, seed);
    terminal_end_line(&report->terminal);
}

/* The dead node may have left a line unfinished. */
void report_restart(struct report *report, const cop_node_end *end)
{
    terminal_end_line(&report->terminal);
    put_line(report, YELLOW, WRAP, "restart %u: the last node ended by %s %d; what it has written "
             "is kept, and the day begins again", (unsigned)end->restarts,
             end->signal != 0 ? "signal" : "status", end->signal != 0 ? end->signal : end->status);
    terminal_end_line(&report->terminal);
}

static const char *strategy_name(enum cop_strategy strategy)
{
    switch (strategy) {
    case COP_REST_FOR_ONE: return "rest_for_one";
    case COP_ONE_FOR_ALL: return "one_for_all";
    case COP_ONE_FOR_ONE: break;
    }
    return "one_for_one";
}

static void put_tree_line(struct report *report, const char *prefix, const char *branch,
                          const char *name, const cop_supervisor *supervisor)
{
    struct terminal *terminal = &report->terminal;
    terminal_put(terminal, DIM, prefix);
    terminal_put(terminal, DIM, branch);
    terminal_put(terminal, BOLD, name);
    if (supervisor != NULL) {
        terminal_put(terminal, DIM, " (");
        terminal_put(terminal, DIM, strategy_name(supervisor->strategy));
        terminal_put(terminal, DIM, ")");
    }
    terminal_end_line(terminal);
}

/* The supervisor that a child's spec describes, or NULL. */
static const cop_supervisor *spec_supervisor(const cop_child_spec *spec)
{
    return spec->start == cop_child_supervisor ? spec->module : NULL;
}

static void put_children(struct report *report, const cop_supervisor *supervisor,
                         const char *prefix)
{
    bool utf8 = report->terminal.utf8;
    for (size_t i = 0; i < supervisor->child_count; i++) {
        const cop_child_spec *spec = &supervisor->children[i];
        bool last = i + 1 == supervisor->child_count;
        const char *branch = utf8 ? (last ? "└── " : "├── ") : (last ? "`-- " : "|-- ");
        const char *trunk = last ? "    " : utf8 ? "│   " : "|   ";
        put_tree_line(report, prefix, branch, spec->id, spec_supervisor(spec));
        if (spec_supervisor(spec) == NULL) continue;
        char below[TEXT_BYTES];
        snprintf(below, sizeof below, "%s%s", prefix, trunk);
        put_children(report, spec_supervisor(spec), below);
    }
}

void report_tree(struct report *report, const cop_supervisor *top)
{
    put_tree_line(report, "", "", top->name, top);
    put_children(report, top, "");
    terminal_end_line(&report->terminal);
}

/* ---- the story ------------------------------------------------------------------------- */

static void put_clock(struct report *report, int64_t time_ns)
{
    char clock[REQUEST_TEXT_BYTES];
    int32_t second = report->opening + (int32_t)(time_ns / 1000000000);
    terminal_put_padded(&report->terminal, DIM, format_clock(second, clock), WHO_COLUMN);
}

/* Ends it; the progress bar, which it has taken the place of, is due again. */
static void end_story_line(struct report *report)
{
    terminal_end_line(&report->terminal);
    report->drawn_ms = 0;
}

/* In columns; where these do not fit, as words that wrap. */
static void put_ending(struct report *report, int64_t time_ns, const char *who, const char *why,
                       enum style outcome_style, const char *outcome)
{
    struct terminal *terminal = &report->terminal;
    size_t width = terminal_width(terminal);
    put_clock(report, time_ns);
    if (width == 0 || width >= OUTCOME_COLUMN + OUTCOME_WIDTH) {
        terminal_put_padded(terminal, BOLD, who, WHY_COLUMN - WHO_COLUMN);
        terminal_put_padded(terminal, RED, why, WHY_WIDTH);
        terminal_put(terminal, PLAIN, "  ");
        terminal_put_words(terminal, outcome_style, outcome, OUTCOME_COLUMN);
    } else {
        char words[STORY_WHY_BYTES + 2];
        snprintf(words, sizeof words, "%s:", who);
        terminal_put_words(terminal, BOLD, words, WHO_COLUMN);
        snprintf(words, sizeof words, "%s,", why);
        terminal_put_words(terminal, RED, words, WHO_COLUMN);
        terminal_put_words(terminal, outcome_style, outcome, WHO_COLUMN);
    }
    end_story_line(report);
}

void report_ending(struct report *report, const supervision *what, const char *outcome)
{
    const char *who = what->event == TASK_ENDED ? "a payment's task" : what->child;
    put_ending(report, what->time_ns, who, what->why,
               what->event == CHILD_RESTARTED ? GREEN : YELLOW, outcome);
}

void report_straggler(struct report *report, int64_t time_ns, const char *path)
{
    put_ending(report, time_ns, path, "did not stop", YELLOW, "killed");
}

void report_note(struct report *report, int64_t time_ns, const char *note)
{
    put_clock(report, time_ns);
    terminal_put_words(&report->terminal, BOLD, note, WHO_COLUMN);
    end_story_line(report);
}

/* ---- the progress ---------------------------------------------------------------------- */

/* What stands right of the bar, as much of it as leaves the bar its least width. */
static void describe_progress(const struct report *report, const struct tally *tally, size_t room,
                              char text[TEXT_BYTES])
{
    enum { PARTS = 4 };
    char served[REQUEST_TEXT_BYTES], all[REQUEST_TEXT_BYTES], parts[PARTS][TEXT_BYTES / PARTS];
    snprintf(parts[0], sizeof parts[0], " %3zu%%", tally->served * 100 / report->requests);
    snprintf(parts[1], sizeof parts[1], "  %s of %s", format_count(tally->served, served),
             format_count(report->requests, all));
    snprintf(parts[2], sizeof parts[2], "  %zu crashes", tally_crashes(tally));
    snprintf(parts[3], sizeof parts[3], "  %zu restarts", tally_restarts(tally));

    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < PARTS; i++) {
        size_t length = strlen(parts[i]);
        if (used + length > room) break;
        memcpy(text + used, parts[i], length + 1);
        used += length;
    }
}

static void draw_bar(struct report *report, int64_t time_ns, const struct tally *tally)
{
    struct terminal *terminal = &report->terminal;
    size_t width = terminal_width(terminal) - 1 - WHO_COLUMN;
    char text[TEXT_BYTES];
    describe_progress(report, tally, width > BAR_LEAST ? width - BAR_LEAST : 0, text);
    size_t bar = width - strlen(text);
    if (bar > BAR_MOST) bar = BAR_MOST;
    size_t full = bar * tally->served / report->requests;

    terminal_status_begin(terminal);
    put_clock(report, time_ns);
    for (size_t i = 0; i < bar; i++) {
        const char *cell = terminal->utf8 ? (i < full ? "━" : "─") : i < full ? "#" : "-";
        terminal_put(terminal, i < full ? GREEN : DIM, cell);
    }
    terminal_put(terminal, PLAIN, text);
    terminal_status_end(terminal);
}

static void note_progress(struct report *report, int64_t time_ns, const struct tally *tally)
{
    size_t tenths = tally->served * 10 / report->requests;
    if (tenths == report->tenths) return;
    report->tenths = tenths;
    char note[TEXT_BYTES], served[REQUEST_TEXT_BYTES], all[REQUEST_TEXT_BYTES];
    snprintf(note, sizeof note, "%zu%%: %s of %s requests, %zu crashes, %zu restarts", tenths * 10,
             format_count(tally->served, served), format_count(report->requests, all),
             tally_crashes(tally), tally_restarts(tally));
    report_note(report, time_ns, note);
}

/* Waits, in real time, while the day is ahead of the pace that was asked for. */
static void keep_pace(const struct report *report, const struct tally *tally)
{
    int64_t due_ms = report->pace_ms * (int64_t)tally->served / (int64_t)report->requests;
    int64_t early_ms = due_ms - (wall_ms() - report->started_ms);
    if (early_ms <= 0) return;
    struct timespec pause = { .tv_nsec = (early_ms < REDRAW_MS ? early_ms : REDRAW_MS) * 1000000 };
    nanosleep(&pause, NULL);
}

void report_progress(struct report *report, int64_t time_ns, const struct tally *tally)
{
    if (!report->terminal.live) {
        note_progress(report, time_ns, tally);
    } else if (wall_ms() - report->drawn_ms >= REDRAW_MS) {
        report->drawn_ms = wall_ms();
        draw_bar(report, time_ns, tally);
    }
    if (report->pace_ms > 0) keep_pace(report, tally);
}

/* ---- after the day --------------------------------------------------------------------- */

enum { LABEL_WIDTH = 28, NUMBER_WIDTH = 10 };    /* of the table; it fits into 40 columns */

static void put_count(struct report *report, const char *label, size_t count)
{
    char text[REQUEST_TEXT_BYTES];
    put_line(report, PLAIN, AS_IT_IS, "  %-*s%*s", LABEL_WIDTH - 2, label, NUMBER_WIDTH,
             format_count(count, text));
}

static void put_title(struct report *report, const char *title)
{
    terminal_end_line(&report->terminal);
    put_line(report, BOLD, AS_IT_IS, "%s", title);
}

static void put_supervisor(struct report *report, struct tally *tally,
                           const cop_supervisor *supervisor)
{
    put_count(report, supervisor->name, tally_supervisor(tally, supervisor->name)->restarts);
    for (size_t i = 0; i < supervisor->child_count; i++) {
        const cop_supervisor *child = spec_supervisor(&supervisor->children[i]);
        if (child != NULL) put_supervisor(report, tally, child);
    }
}

void report_table(struct report *report, const struct input *input, struct tally *tally,
                  const cop_supervisor *top)
{
    put_title(report, "Requests");
    put_count(report, "came in", tally->came);
    put_count(report, "confirmed", tally->served);
    put_count(report, "sent again", tally->tries - tally->served);
    put_count(report, "found already written", tally->posted_before);
    put_count(report, "receipts sent", tally->receipts);
    put_count(report, "bad lines left out", input->bad);

    put_title(report, "Crashes by kind");
    for (int i = 0; i < BY_KILL; i++) {
        if (i != BY_OTHER_CRASH || tally->endings[i] > 0) {
            put_count(report, ending_name((enum ending)i), tally->endings[i]);
        }
    }
    put_count(report, "all", tally_crashes(tally));

    put_title(report, "Restarts by supervisor");
    put_supervisor(report, tally, top);
    put_count(report, "all", tally_restarts(tally));
    put_count(report, "after a kill", tally->endings[BY_KILL]);
    put_count(report, "after giving up", tally->endings[BY_GIVING_UP]);
}

static const char *component(const cop_crash_report *crash)
{
    if (crash->name != NULL) return crash->name;
    return crash->label != NULL ? crash->label : "another process";
}

/* Whether a later one of the reports, which come newest first, is of the same component. */
static bool is_outdated(const cop_crash_report **crashes, size_t i)
{
    for (size_t later = 0; later < i; later++) {
        if (strcmp(component(crashes[later]), component(crashes[i])) == 0) return true;
    }
    return false;
}

static void put_crash(struct report *report, const cop_crash_report *crash)
{
    char why[STORY_WHY_BYTES], circumstances[TEXT_BYTES];
    story_explain(crash->reason, why);
    int length = snprintf(circumstances, sizeof circumstances, "%s%s",
                          crash->message_type != NULL ? "handling " : "in its own work",
                          crash->message_type != NULL ? crash->message_type : "");
    if (crash->mailbox_length > 0) {
        snprintf(circumstances + length, sizeof circumstances - (size_t)length, ", %zu waiting",
                 crash->mailbox_length);
    }
    put_ending(report, crash->time_ns, component(crash), why, PLAIN, circumstances);
}

void report_last_crashes(struct report *report)
{
    const cop_crash_report *crashes[COP_CRASH_REPORTS_KEPT];
    size_t count = cop_crash_reports(crashes, COP_CRASH_REPORTS_KEPT);
    if (count == 0) return;
    put_title(report, "Last crash of each");
    for (size_t i = 0; i < count; i++) {
        if (!is_outdated(crashes, i)) put_crash(report, crashes[i]);
    }
    for (size_t i = 0; i < count; i++) cop_crash_report_unref(crashes[i]);
}

static void put_sum(struct report *report, const char *label, size_t count, int64_t cents)
{
    char lines[REQUEST_TEXT_BYTES], sum[REQUEST_TEXT_BYTES];
    put_line(report, PLAIN, AS_IT_IS, "  %-11s%8s%17s", label, format_count(count, lines),
             format_cents(cents, sum));
}

void report_check(struct report *report, const struct input *input,
                  const struct ledger_check *check)
{
    put_title(report, "Ledger        lines            amount");
    for (int kind = 0; kind < REQUEST_KINDS; kind++) {
        put_line(report, PLAIN, AS_IT_IS, "  %ss", request_kind_name((enum request_kind)kind));
        put_sum(report, "  in file", input->lines[kind], input->cents[kind]);
        put_sum(report, "  in ledger", check->entries[kind], check->cents[kind]);
    }
    terminal_end_line(&report->terminal);
    if (check->holds) {
        put_line(report, GREEN, WRAP, "Every good line of the input is in the ledger exactly once, "
                 "and the totals agree.");
        return;
    }
    put_line(report, RED, WRAP, "The ledger is not the day's: %zu lines missing, %zu different, "
             "%zu entries too many, the file %s.", check->missing, check->different,
             check->unknown, check->intact ? "intact" : "damaged");
}
