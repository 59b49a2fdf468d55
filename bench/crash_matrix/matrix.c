/* matrix.c - every kind, one after the other, and whether all is as docs/containment.md says. */
#include "matrix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What ends the node is repeated with new nodes; kills take their time, and some are repeated less
 * often than faults. */
enum { NODES = 5, FEWER = 20, WARM_UP = 50, WARM_UP_KILLS = 5, LIMIT_MS = 40000 };

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* The first line of Coppice's report. */
static void find_report(const struct ending *ending, char *report, size_t size)
{
    const char *line = strstr(ending->last_words, "coppice: fatal: ");
    if (line == NULL) line = "";
    snprintf(report, size, "%.*s", (int)strcspn(line, "\n"), line);
}

static void wrong(struct row *row, const char *what, const char *more)
{
    if (row->right) snprintf(row->outcome, sizeof row->outcome, "WRONG: %s%s", what, more);
    row->right = false;
}

/* A node that went through all the rounds. */
static void judge_contained(struct row *row)
{
    struct usage grown = usage_grown();
    snprintf(row->outcome, sizeof row->outcome, "contained, %s",
             row->kind->shown != NULL ? row->kind->shown : row->kind->reason);
    row->contained = true;
    row->rounds = board->done;
    row->harmed = board->harmed;
    row->files = grown.files;
    row->threads = grown.threads;
    row->heap = grown.heap;
    row->resident = grown.resident;
    if (board->wrong[0] != '\0') wrong(row, board->wrong, "");
    if (!leaves_nothing(row->kind->stays * board->done)) wrong(row, "a leak", "");
    if (board->done == 0) return;
    qsort(board->times, (size_t)board->done, sizeof board->times[0], compare);
    row->median_ns = board->times[(board->done - 1) / 2];
    row->p99_ns = board->times[(board->done - 1) * 99 / 100];
}

static void judge(struct row *row, const struct ending *ending)
{
    const struct kind *kind = row->kind;
    char how[32];
    ending_format(ending, how, sizeof how);
    find_report(ending, row->report, sizeof row->report);
    if (board->finished) {
        judge_contained(row);
        if (kind->ends_node) wrong(row, "contained, but it should end the node", "");
        return;
    }
    row->rounds++;
    snprintf(row->outcome, sizeof row->outcome, "node ended, %s", how);
    if (ending->hung) {
        wrong(row, "the node hung", "");
    } else if (!kind->ends_node) {
        wrong(row, "the node ended, ", board->wrong[0] != '\0' ? board->wrong : how);
    } else {
        if (strcmp(how, kind->reason) != 0) wrong(row, "the node ended, ", how);
        if (kind->reported != (row->report[0] != '\0')) wrong(row, "report: ", row->report);
    }
}

/* One node; false: it could not even start. */
static bool run_node(struct row *row, long rounds)
{
    const struct kind *kind = row->kind;
    if (kind->end != BY_ITSELF && rounds > 1) rounds = (rounds + FEWER - 1) / FEWER;
    if (!board_new(rounds)) return false;
    board->kind = kind;
    board->rounds = rounds;
    board->warm_up = kind->ends_node ? 0 : kind->end == BY_ITSELF ? WARM_UP : WARM_UP_KILLS;
    struct ending ending;
    bool ran = child_run(LIMIT_MS, NULL, &ending);
    if (ran && !interrupted) judge(row, &ending);
    board_free();
    return ran;
}

static bool run_kind(struct row *row, const struct kind *kind, long rounds)
{
    *row = (struct row){ .kind = kind, .right = true };
    long nodes = !kind->ends_node ? 1 : rounds < NODES ? rounds : NODES;
    for (row->nodes = 0; row->nodes < nodes && !interrupted && row->right; row->nodes++) {
        if (!run_node(row, rounds)) {
            perror("crash_matrix: a node cannot start");
            return false;
        }
    }
    return true;
}

static bool known(const char *name)
{
    for (size_t i = 0; i < kind_count; i++)
        if (strcmp(kinds[i].name, name) == 0) return true;
    return false;
}

int matrix_run(const char *only, long rounds, enum style style)
{
    if (only != NULL && !known(only)) {
        fprintf(stderr, "crash_matrix: no kind is called '%s'; --list names them\n", only);
        return 2;
    }
    struct row *rows = calloc(kind_count, sizeof *rows);
    size_t count = 0, right = 0;
    if (rows == NULL) return 1;
    table_begin(style);
    for (size_t i = 0; i < kind_count && !interrupted; i++) {
        if (only != NULL && strcmp(kinds[i].name, only) != 0) continue;
        if (isatty(STDERR_FILENO)) fprintf(stderr, "%s ...\r", kinds[i].name);
        if (!run_kind(&rows[count], &kinds[i], rounds)) break;
        if (interrupted) break;
        right += rows[count].right;
        table_row(&rows[count++]);
        fflush(stdout);
    }
    table_end(rows, count);
    bool all = right == (only != NULL ? 1 : kind_count);
    free(rows);
    return interrupted ? 130 : all ? 0 : 1;
}
