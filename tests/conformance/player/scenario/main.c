/* main.c - scenario: plays supervision scenarios and writes what happened.
 *
 * Read in this order: scenario.h and parse.c (the file), children.c (the processes),
 * recorder.c (who sees what), play.c and calls.c (the steps). */
#include "../common/program.h"
#include "play.h"

static bool patient;

struct file { const char *path; struct scenario scenario; };

static int play_once(void *context, uint64_t seed, struct lines *trace)
{
    const struct file *file = context;
    struct play play = { .file = file->path, .scenario = &file->scenario, .patient = patient };
    int status = play_scenario(&play, seed);
    *trace = play.trace;
    lines_free(&play.recorder.happened);
    lines_free(&play.recorder.downs);
    pool_free(&play.pool);
    return status;
}

static int play_file(const char *path)
{
    struct file file = { .path = path };
    int status = UNREADABLE;
    if (scenario_read(&file.scenario, path)) status = program_play(path, play_once, &file);
    pool_free(&file.scenario.pool);
    return status;
}

int main(int argc, char **argv)
{
    static const struct program scenario = {
        .name = "scenario",
        .help = "usage: scenario [--patient] [--seeds N] FILE.scn ...\n"
                "\n"
                "Plays supervision scenarios on Coppice's supervisors, in virtual time, and\n"
                "writes what happened to FILE.cop beside each.  tests/conformance/PROTOCOL.md\n"
                "describes both files; tests/conformance/compare.py holds FILE.cop against a\n"
                "FILE.otp that was recorded on Erlang/OTP.\n"
                "\n"
                "--patient: after each step also wait until the orphans of killed supervisors\n"
                "have ended\n"
                "\n"
                "--seeds N: each N times in simulation, in the orders and with the interruptions\n"
                "that the seeds 1 to N make; each trace that differs from those before it is\n"
                "written to FILE.SEED.cop\n"
                "\n"
                "status: 0 all were played; 1 one could not be played to its end; 2 one could\n"
                "not be read: FILE:LINE: what is wrong is on stderr\n",
        .play = play_file, .option = "--patient", .given = &patient };
    return program_main(&scenario, argc, argv);
}
