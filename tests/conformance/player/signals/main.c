/* main.c - signals: plays signal histories and writes what happened.
 *
 * Read in this order: history.h and parse.c (the file), subject.c (the processes), world.c (what
 * happened), play.c (the steps). */
#include "../common/program.h"
#include "history.h"

struct file { const char *path; struct step *steps; };

static int play_once(void *context, uint64_t seed, struct lines *trace)
{
    const struct file *file = context;
    return history_play(file->path, seed, file->steps, trace);
}

static int play_file(const char *path)
{
    struct pool pool = { 0 };
    struct file file = { .path = path };
    int status = UNREADABLE;
    if (history_read(&file.steps, path, &pool)) status = program_play(path, play_once, &file);
    pool_free(&pool);
    return status;
}

int main(int argc, char **argv)
{
    static const struct program signals = {
        .name = "signals",
        .help = "usage: signals [--seeds N] FILE.sig ...\n"
                "\n"
                "Plays signal histories (links, monitors, exits, names, aliases) on Coppice's\n"
                "processes and writes what happened to FILE.cop beside each.\n"
                "tests/conformance/PROTOCOL.md describes both files;\n"
                "tests/conformance/compare.py holds FILE.cop against a FILE.otp that was\n"
                "recorded on Erlang/OTP.\n"
                "\n"
                "--seeds N: each N times in simulation, in the orders and with the interruptions\n"
                "that the seeds 1 to N make; each trace that differs from those before it is\n"
                "written to FILE.SEED.cop\n"
                "\n"
                "status: 0 all were played; 1 one could not be played to its end; 2 one could\n"
                "not be read: FILE:LINE: what is wrong is on stderr\n",
        .play = play_file };
    return program_main(&signals, argc, argv);
}
