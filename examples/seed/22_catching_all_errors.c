/* 22_catching_all_errors.c - Pitfall 3: turning every error into a reply keeps the supervisor
 * from seeing it. */
#include "cast.h"

COP_CALL(risky, COP_EMPTY, { bool failed; });
static bool risky_operation(void);

static cop_next wrong(void *state, const cop_message *request, cop_from from)
{
    (void)state, (void)request, (void)from;
    return cop_reply(risky, .failed = !risky_operation());   /* the supervisor never hears */
}

static cop_next right(void *state, const cop_message *request, cop_from from)
{
    (void)state, (void)request, (void)from;
    if (!risky_operation())
        cop_raise("risky operation failed");         /* the supervisor hears, and restarts */
    return cop_reply(risky, .failed = false);
}

/* ---- on stage ---- */

static bool risky_operation(void)
{
    return false;
}

static const cop_gen_server wrong_server = { .name = "wrong_server", .handle_call = wrong };
static const cop_gen_server right_server = { .name = "right_server", .handle_call = right };
static const cop_child_spec children[] = { COP_CHILD_SERVER(wrong_server),
                                           COP_CHILD_SERVER(right_server) };
static const cop_supervisor supervisor = { COP_CHILDREN(children) };

static void story(void *argument)
{
    (void)argument;
    cop_supervisor_start_link(&supervisor);
    for (int i = 0; i < 2; i++) {
        const char *name = children[i].id;
        cop_pid before = cop_whereis(name);
        risky_reply reply;
        int error = cop_call(name, &reply, risky);
        settle();
        printf("%s: caller sees %s, %s\n", name,
               error == 0 ? "a polite reply" : cop_error_name(error),
               cop_pid_equal(before, cop_whereis(name)) ? "the old process goes on" : "restarted");
    }
}

PLAY(story)
