/* tally.c - what is counted during the day. */
#include "tally.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct supervisor_tally *tally_supervisor(struct tally *tally, const char *name)
{
    size_t i = 0;
    while (tally->supervisors[i].name[0] != '\0' && strcmp(tally->supervisors[i].name, name) != 0) {
        i++;
        assert(i < TALLY_SUPERVISORS);
    }
    snprintf(tally->supervisors[i].name, STORY_NAME_BYTES, "%s", name);
    return &tally->supervisors[i];
}

size_t tally_crashes(const struct tally *tally)
{
    size_t sum = 0;
    for (int i = 0; i < BY_KILL; i++) sum += tally->endings[i];
    return sum;
}

size_t tally_restarts(const struct tally *tally)
{
    size_t sum = 0;
    for (size_t i = 0; i < TALLY_SUPERVISORS; i++) sum += tally->supervisors[i].restarts;
    return sum;
}
