/* soak.c - a node that contains many crashes of mixed kinds, one after the other, and has no more
 * descriptors, threads and memory at the end than after the first thousand. */
#include "matrix.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WARM_UP = 1000, LIMIT_MS = 60000, LINES = 20 };

static time_t started;

/* On a terminal a line that changes, else a line now and then. */
static void show_progress(void)
{
    static long shown;
    long done = board->done, seconds = (long)(time(NULL) - started);
    bool terminal = isatty(STDERR_FILENO);
    if (done - shown < (terminal ? 1 : board->rounds / LINES + 1)) return;
    shown = done;
    fprintf(stderr, "%ld of %ld crashes, %ld s%s", done, board->rounds, seconds,
            terminal ? "   \r" : "\n");
}

static void print_usage(const char *when, const struct usage *usage)
{
    printf("%-26s%8ld%8ld%14ld%14ld\n", when, usage->files, usage->threads, usage->heap / 1024,
           usage->resident / 1024);
}

static bool print_results(const struct ending *ending)
{
    char how[32];
    ending_format(ending, how, sizeof how);
    if (!board->finished) {
        printf("WRONG: after %ld crashes the node ended, %s; %s\n%s\n", (long)board->done, how,
               board->wrong, ending->last_words);
        return false;
    }
    bool right = leaves_nothing(0) && board->wrong[0] == '\0';
    printf("%-26s%8s%8s%14s%14s\n", "", "fds", "threads", "heap KiB", "rss KiB");
    char when[40];
    print_usage("after the first 1000", &board->before);
    snprintf(when, sizeof when, "after %ld more", (long)board->done);
    print_usage(when, &board->after);
    printf("%ld crashes in %ld s beside %d busy siblings, which answered %ld calls; "
           "harmed: %ld\n%s%s\n", board->done + WARM_UP, (long)(time(NULL) - started), SIBLINGS,
           board->answered, board->harmed, right ? "nothing is left behind" : "WRONG: ",
           right ? "" : board->wrong[0] != '\0' ? board->wrong : "a leak");
    return right;
}

int soak_run(long count, uint64_t seed)
{
    if (!board_new(0)) return 1;
    board->kind = &kinds[0];
    board->soak = true;
    board->seed = seed;
    board->warm_up = WARM_UP;
    board->rounds = count > WARM_UP ? count - WARM_UP : 1;
    started = time(NULL);
    struct ending ending;
    if (!child_run(LIMIT_MS, show_progress, &ending)) {
        perror("crash_matrix: the node cannot start");
        return 1;
    }
    bool right = print_results(&ending);
    board_free();
    return !right ? 1 : interrupted ? 130 : 0;
}
