/* callers.c - see callers.h. */
#include "callers.h"

#include <string.h>

#include <coppice/dictionary.h>
#include <coppice/memory.h>
#include <coppice/task.h>

struct chain {
    size_t count;
    cop_pid pids[];       /* nearest first */
};

/* The calling process's own callers, or NULL. */
static const struct chain *own(void)
{
    cop_value value;
    return cop_dictionary_get("$callers", &value) ? value.pointer : NULL;
}

static size_t size_of(size_t count)
{
    return sizeof(struct chain) + count * sizeof(cop_pid);
}

size_t cop_callers(cop_pid *ret_pids, size_t room)
{
    const struct chain *chain = own();
    if (chain == NULL) return 0;
    for (size_t i = 0; i < chain->count && i < room; i++) ret_pids[i] = chain->pids[i];
    return chain->count;
}

size_t copi_callers_size(void)
{
    return size_of(cop_callers(NULL, 0) + 1);
}

void copi_callers_write(void *room)
{
    struct chain *chain = room;
    chain->pids[0] = cop_self();
    chain->count = 1 + cop_callers(chain->pids + 1, cop_callers(NULL, 0));
}

void copi_callers_take(const void *chain)
{
    size_t size = size_of(((const struct chain *)chain)->count);
    cop_dictionary_put("$callers", cop_pointer(memcpy(cop_alloc(size), chain, size)));
}
