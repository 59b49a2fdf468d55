/* main.c - signals: plays signal histories and writes what happened.
 *
 * Read in this order: history.h and parse.c (the file), subject.c (the processes), world.c (what
 * happened), play.c (the steps). */
#include "../common/program.h"
#include "history.h"

static int play_file(const char *path)
{
    struct pool pool = { 0 };
    struct step *steps = NULL;
    int status = UNREADABLE;
    if (history_read(&steps, path, &pool)) {
        struct lines trace = { 0 };
        status = history_play(path, steps, &trace);
        if (status == PLAYED) status = program_write_trace(path, &trace);
        lines_free(&trace);
    }
    pool_free(&pool);
    return status;
}

int main(int argc, char **argv)
{
    static const struct program signals = {
        .name = "signals",
        .help = "usage: signals FILE.sig ...\n"
                "\n"
                "Plays signal histories (links, monitors, exits, names, aliases) on Coppice's\n"
                "processes and writes what happened to FILE.cop beside each.\n"
                "tests/conformance/PROTOCOL.md describes both files;\n"
                "tests/conformance/compare.py holds FILE.cop against a FILE.otp that was\n"
                "recorded on Erlang/OTP.\n"
                "\n"
                "status: 0 all were played; 1 one could not be played to its end; 2 one could\n"
                "not be read: FILE:LINE: what is wrong is on stderr\n",
        .play = play_file };
    return program_main(&signals, argc, argv);
}
