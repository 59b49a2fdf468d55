/* main.c - crash_matrix: each way in which C code can die, in a tree of busy siblings. */
#include "matrix.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int usage(FILE *file, int status)
{
    fputs("usage: crash_matrix [--rounds N] [--kind KIND] [--tsv | --json]\n"
          "       crash_matrix --soak COUNT [--seed N]\n"
          "       crash_matrix --list\n"
          "Crashes a supervised process in every way there is, beside 1,000 busy siblings, and\n"
          "prints what came of it.  Each kind has a node of its own, a child process.  Status 1\n"
          "if anything is not as docs/containment.md says.\n\n"
          "  --rounds N     how often each kind strikes (1000); those that need a kill a\n"
          "                 twentieth of that, those that end the node five times at most\n"
          "  --kind KIND    that kind alone\n"
          "  --tsv          the table with tabs, bytes and nanoseconds\n"
          "  --json         the same as an array of objects, one a line\n"
          "  --soak COUNT   so many crashes of mixed kinds in one node\n"
          "  --seed N       the soak's choice of kinds (1)\n"
          "  --list         the kinds\n\n"
          "Ctrl-C ends it in order, with the results so far.  NO_COLOR is obeyed.\n", file);
    return status;
}

/* A number from 1 to 10^12, or -1 with a complaint. */
static long number(const char *option, const char *text)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && value >= 1 && value <= 1000000000000)
        return value;
    fprintf(stderr, "crash_matrix: --%s is a number from 1 on, not '%s'\n", option, text);
    return -1;
}

static void interrupt(int signal)
{
    (void)signal;
    interrupted = true;
}

static int list(void)
{
    for (size_t i = 0; i < kind_count; i++) puts(kinds[i].name);
    return 0;
}

/* The command line, all that it asks for done but the last flush; the exit status. */
static int obey(int count, char **arguments)
{
    static const struct option options[] = {
        { "rounds", required_argument, NULL, 'r' }, { "kind", required_argument, NULL, 'k' },
        { "tsv", no_argument, NULL, 't' }, { "json", no_argument, NULL, 'j' },
        { "soak", required_argument, NULL, 's' }, { "seed", required_argument, NULL, 'e' },
        { "list", no_argument, NULL, 'l' }, { "help", no_argument, NULL, 'h' }, { 0 } };
    long rounds = 1000, crashes = 0, seed = 1;
    const char *only = NULL;
    enum style style = STYLE_TABLE;
    for (int option; (option = getopt_long(count, arguments, "h", options, NULL)) != -1;) {
        switch (option) {
        case 'r': rounds = number("rounds", optarg); break;
        case 'k': only = optarg; break;
        case 't': style = STYLE_TSV; break;
        case 'j': style = STYLE_JSON; break;
        case 's': crashes = number("soak", optarg); break;
        case 'e': seed = number("seed", optarg); break;
        case 'l': return list();
        case 'h': return usage(stdout, 0);
        default: return usage(stderr, 2);
        }
        if (rounds < 0 || crashes < 0 || seed < 0) return 2;
    }
    if (optind < count) return usage(stderr, 2);
    return crashes > 0 ? soak_run(crashes, (uint64_t)seed) : matrix_run(only, rounds, style);
}

int main(int count, char **arguments)
{
    sigaction(SIGINT, &(struct sigaction){ .sa_handler = interrupt }, NULL);
    int status = obey(count, arguments);
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return status;
    fprintf(stderr, "crash_matrix: standard output: %s\n",
            errno != 0 ? strerror(errno) : "a write failed");
    return 1;
}
