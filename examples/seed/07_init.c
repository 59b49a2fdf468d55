/* 07_init.c - Supervisor.init: a supervisor may work out its flags and children when it
 * starts. */
#include "cast.h"

static const cop_child_spec children[] = { COP_CHILD_SERVER(worker_1), COP_CHILD_SERVER(worker_2) };

static cop_next init(cop_supervisor *flags, const void *argument)
{
    flags->strategy = COP_ONE_FOR_ONE;
    flags->children = children;
    flags->child_count = *(const size_t *)argument;
    return cop_ok();
}

/* ---- on stage ---- */

static void story(void *argument)
{
    (void)argument;
    const cop_supervisor supervisor = { .init = init };
    for (size_t count = 1; count <= 2; count++) {
        cop_pid pid = cop_supervisor_start_link(&supervisor, .argument = &count).pid;
        show(count == 1 ? "argument 1" : "argument 2", pid);
        end_scene(pid);
    }
}

PLAY(story)
