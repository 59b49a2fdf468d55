/* scenario.c - the bytes are a supervision scenario: it is read and, if it is one, played. */
#include "../conformance/player/common/program.h"
#include "../conformance/player/scenario/play.h"
#include "lib/fuzz.h"

enum { STEPS_MAX = 40, NODES_MAX = 30 };

/* Whether it is worth its time. */
static bool is_short(const struct scenario *scenario)
{
    int nodes = 0, steps = 0;
    for (const struct node *node = scenario->nodes; node != NULL; node = node->next) nodes++;
    for (const struct step *step = scenario->steps; step != NULL; step = step->next) steps++;
    return nodes <= NODES_MAX && steps <= STEPS_MAX;
}

void fuzz_one(struct bytes *bytes)
{
    struct scenario scenario;
    const char *path = fuzz_file(bytes);
    if (scenario_read(&scenario, path) && is_short(&scenario)) {
        struct play play = { .file = path, .scenario = &scenario };
        play_scenario(&play, 0);
        lines_free(&play.trace);
        lines_free(&play.recorder.happened);
        lines_free(&play.recorder.downs);
        pool_free(&play.pool);
    }
    pool_free(&scenario.pool);
}
