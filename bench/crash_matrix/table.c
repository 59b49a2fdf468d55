/* table.c - the results, for people (aligned, in colour on a terminal) or for programs. */
#include "matrix.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static enum style style;

static bool coloured(void)
{
    const char *none = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) && (none == NULL || *none == '\0');
}

void format_ns(int64_t ns, char *buffer, size_t size)
{
    if (ns < 1000000)
        snprintf(buffer, size, "%.1f us", (double)ns / 1e3);
    else
        snprintf(buffer, size, "%.1f ms", (double)ns / 1e6);
}

/* What is leaked: memory counts from the slack on, nothing else has one. */
static void format_bytes(long grown, long slack, const struct kind *kind, char *buffer, size_t size)
{
    if (grown <= slack)
        snprintf(buffer, size, "0");
    else
        snprintf(buffer, size, "%ld KiB%s", grown / 1024, kind->stays > 0 ? "*" : "");
}

void table_begin(enum style wanted)
{
    style = wanted;
    if (style == STYLE_JSON) {
        fputs("[", stdout);
        return;
    }
    if (style == STYLE_TSV) {
        puts("kind\tright\toutcome\tnodes\trounds\tharmed\tfds\tthreads\theap_bytes\trss_bytes\t"
             "median_ns\tp99_ns\treport");
        return;
    }
    printf("Each kind strikes a victim among %d busy siblings.  Leaked: descriptors, threads,\n"
           "memory from malloc, resident memory.  The times are those from the fault, or from the\n"
           "kill, to the init of the new child.\n\n", SIBLINGS);
    printf("%-17s%-34s%7s  %-9s%4s%8s%10s%8s%11s%11s\n", "kind", "outcome", "rounds", "siblings",
           "fds", "threads", "heap", "rss", "median", "p99");
}

static void print_contained(const struct row *row)
{
    char heap[32], resident[32], median[32], p99[32], siblings[32] = "unharmed";
    if (row->harmed != 0) snprintf(siblings, sizeof siblings, "%ld", row->harmed);
    format_bytes(row->heap, HEAP_SLACK, row->kind, heap, sizeof heap);
    format_bytes(row->resident, RESIDENT_SLACK, row->kind, resident, sizeof resident);
    format_ns(row->median_ns, median, sizeof median);
    format_ns(row->p99_ns, p99, sizeof p99);
    printf("%7ld  %-9s%4ld%8ld%10s%8s%11s%11s", row->rounds, siblings, row->files, row->threads,
           heap, resident, median, p99);
}

/* Reports and outcomes are printable, but for what a label may have in it. */
static void print_json_string(const char *key, const char *text)
{
    printf(",\"%s\":\"", key);
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || (unsigned char)*text > '~')
            putchar('?');
        else
            printf("%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
    }
    putchar('"');
}

static void print_json(const struct row *row)
{
    static bool following;
    printf("%s\n{\"kind\":\"%s\",\"right\":%s,\"contained\":%s", following ? "," : "",
           row->kind->name, row->right ? "true" : "false", row->contained ? "true" : "false");
    following = true;
    print_json_string("outcome", row->outcome);
    printf(",\"nodes\":%ld,\"rounds\":%ld", row->nodes, row->rounds);
    if (row->contained)
        printf(",\"harmed\":%ld,\"fds\":%ld,\"threads\":%ld,\"heap_bytes\":%ld,"
               "\"rss_bytes\":%ld,\"median_ns\":%" PRId64 ",\"p99_ns\":%" PRId64,
               row->harmed, row->files, row->threads, row->heap, row->resident, row->median_ns,
               row->p99_ns);
    print_json_string("report", row->report);
    putchar('}');
}

void table_row(const struct row *row)
{
    if (style == STYLE_JSON) {
        print_json(row);
        return;
    }
    if (style == STYLE_TSV) {
        printf("%s\t%d\t%s\t%ld\t%ld\t%ld\t%ld\t%ld\t%ld\t%ld\t%" PRId64 "\t%" PRId64 "\t%s\n",
               row->kind->name, row->right, row->outcome, row->nodes, row->rounds, row->harmed,
               row->files, row->threads, row->heap, row->resident, row->median_ns, row->p99_ns,
               row->report);
        return;
    }
    const char *colour = !coloured() ? "" : row->right ? "\033[32m" : "\033[31m";
    printf("%-17s%s%-34s%s", row->kind->name, colour, row->outcome, *colour ? "\033[0m" : "");
    if (row->contained)
        print_contained(row);
    else
        printf("%7ld  %-9s%4s%8s%10s%8s%11s%11s", row->rounds, "-", "-", "-", "-", "-", "-", "-");
    putchar('\n');
}

void table_end(const struct row *rows, size_t count)
{
    size_t wrong = 0, reports = 0;
    bool stays = false;
    for (size_t i = 0; i < count; i++) {
        wrong += !rows[i].right;
        stays = stays || rows[i].heap > HEAP_SLACK;
    }
    if (style == STYLE_JSON) puts("\n]");
    if (style != STYLE_TABLE) return;
    if (stays)
        puts("\n* from malloc and in the victim's hands when it ended: that is nobody's to give "
             "back.");
    for (size_t i = 0; i < count; i++) {
        if (rows[i].report[0] == '\0') continue;
        if (reports++ == 0) puts("\nWhat nodes that ended have reported:");
        printf("    %-16s%s\n", rows[i].kind->name, rows[i].report);
    }
    printf("\n%zu kinds, %zu not as they should be%s\n", count, wrong,
           interrupted ? "; interrupted" : "");
}
