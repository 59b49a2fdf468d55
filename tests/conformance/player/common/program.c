/* program.c - the command line of a player. */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <coppice/sim.h>

#include "pool.h"
#include "source.h"

enum { SEEDS_MAX = 1000000 };

/* A closed one of the descriptors 0 to 2 would go to a file, and complaints into it.  What is
 * opened instead fails when it is used, as the closed one would. */
static void occupy_standard_descriptors(void)
{
    for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; descriptor++) {
        if (fcntl(descriptor, F_GETFD) == -1 &&
            open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY) != descriptor)
            exit(FAILED);
    }
}

long program_seeds;

static int print_help(const struct program *program)
{
    if (fputs(program->help, stdout) != EOF && fflush(stdout) == 0) return PLAYED;
    fprintf(stderr, "%s: standard output: %s\n", program->name, strerror(errno));
    return FAILED;
}

int program_main(const struct program *program, int argc, char **argv)
{
    int first = 1;
    int64_t seeds;
    occupy_standard_descriptors();
    for (; first < argc && argv[first][0] == '-'; first++) {
        if (strcmp(argv[first], "--help") == 0 || strcmp(argv[first], "-h") == 0)
            return print_help(program);
        if (strcmp(argv[first], "--") == 0) {
            first++;
            break;
        }
        if (program->option != NULL && strcmp(argv[first], program->option) == 0) {
            *program->given = true;
            continue;
        }
        if (strcmp(argv[first], "--seeds") == 0 && first + 1 < argc &&
            number_from(argv[first + 1], SEEDS_MAX, &seeds)) {
            program_seeds = (long)seeds;
            first++;
            continue;
        }
        fprintf(stderr, "%s: unknown option %s; see %s --help\n", program->name, argv[first],
                program->name);
        return UNREADABLE;
    }
    if (first == argc) {
        fprintf(stderr, "%s: no file given; see %s --help\n", program->name, program->name);
        return UNREADABLE;
    }
    int status = PLAYED;
    for (int i = first; i < argc; i++) {
        int played = program->play(argv[i]);
        if (played > status) status = played;
    }
    return status;
}

int program_write_trace(const char *path, uint64_t seed, const struct lines *trace)
{
    char number[32] = "";
    if (seed != 0) snprintf(number, sizeof number, ".%llu", (unsigned long long)seed);
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(path, '.');
    size_t length = strlen(path);
    if (dot != NULL && (slash == NULL || dot > slash)) length = (size_t)(dot - path);
    char *name = NULL;
    if (asprintf(&name, "%.*s%s.cop", (int)length, path, number) < 0) pool_exhausted();

    FILE *file = fopen(name, "w");
    bool written = file != NULL && lines_write(trace, file) == 0;
    int error = errno;
    if (file != NULL && fclose(file) != 0 && written) {
        written = false;
        error = errno;
    }
    if (!written) fprintf(stderr, "%s: %s\n", name, strerror(error));
    free(name);
    return written ? PLAYED : FAILED;
}

/* ---- playing ----------------------------------------------------------------------------- */

/* Whether the text is among those from before; else it is from now on. */
static bool is_known(struct lines *known, const struct lines *trace)
{
    char *text = lines_join(trace, "\n");
    bool found = false;
    for (size_t i = 0; i < known->count && !found; i++) found = strcmp(known->line[i], text) == 0;
    if (!found) lines_add(known, "%s", text);
    free(text);
    return found;
}

int program_play(const char *path, program_play_once *play_once, void *context)
{
    struct lines known = { 0 };
    int status = PLAYED;
    uint64_t last = (uint64_t)program_seeds;
    for (uint64_t seed = last == 0 ? 0 : 1; seed <= last && status == PLAYED; seed++) {
        struct lines trace = { 0 };
        status = play_once(context, seed, &trace);
        if (status == PLAYED && !is_known(&known, &trace))
            status = program_write_trace(path, seed, &trace);
        lines_free(&trace);
    }
    lines_free(&known);
    return status;
}

int program_run(const char *path, uint64_t seed, cop_function *function, void *argument,
                cop_log_sink *log)
{
    if (seed == 0) {
        const cop_run_options options = { .deterministic = true, .log = log,
                                          .log_context = argument };
        int status = cop_run(function, argument, &options);
        if (status < 0) fprintf(stderr, "%s: %s\n", path, cop_error_text(status));
        return status == COP_OK ? PLAYED : FAILED;
    }
    const cop_sim_options options = { .chance = { COP_SIM_ANY_ORDER }, .log = log,
                                      .log_context = argument };
    cop_sim_report report;
    int error = cop_sim_run(seed, function, argument, &options, &report);
    if (error != COP_OK && error != COP_EFAILED)
        fprintf(stderr, "%s: %s\n", path, cop_error_text(error));
    if (error == COP_EFAILED)
        fprintf(stderr, "%s: seed %llu: %s: %s\n", path, (unsigned long long)seed, report.failure,
                report.detail);
    if (error == COP_OK || error == COP_EFAILED) cop_sim_report_free(&report);
    return error == COP_OK ? PLAYED : FAILED;
}
