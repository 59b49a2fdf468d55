/* program.c - the command line of a player. */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pool.h"

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

static int print_help(const struct program *program)
{
    if (fputs(program->help, stdout) != EOF && fflush(stdout) == 0) return PLAYED;
    fprintf(stderr, "%s: standard output: %s\n", program->name, strerror(errno));
    return FAILED;
}

int program_main(const struct program *program, int argc, char **argv)
{
    int first = 1;
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

int program_write_trace(const char *path, const struct lines *trace)
{
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(path, '.');
    size_t length = strlen(path);
    if (dot != NULL && (slash == NULL || dot > slash)) length = (size_t)(dot - path);
    char *name = NULL;
    if (asprintf(&name, "%.*s.cop", (int)length, path) < 0) pool_exhausted();

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
