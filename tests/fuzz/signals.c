/* signals.c - the bytes are a signal history: it is read and, if it is one, played. */
#include "../conformance/player/common/program.h"
#include "../conformance/player/signals/history.h"
#include "lib/fuzz.h"

enum { STEPS_MAX = 100 };

void fuzz_one(struct bytes *bytes)
{
    struct pool pool = { 0 };
    struct step *steps = NULL;
    const char *path = fuzz_file(bytes);
    if (history_read(&steps, path, &pool)) {
        struct lines trace = { 0 };
        int count = 0;
        for (const struct step *step = steps; step != NULL; step = step->next) count++;
        if (count <= STEPS_MAX) FUZZ_CHECK(history_play(path, 0, steps, &trace) == PLAYED);
        lines_free(&trace);
    }
    pool_free(&pool);
}
