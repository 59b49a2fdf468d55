/* 18_let_it_crash.c - Best practice 4: a worker that hides an error stays in a bad state; one
 * that crashes is started again in a good one. */
#include "cast.h"

COP_CALL(process_payment, { int cents; }, { bool ok; });

static cop_next good(void *state, const cop_message *request, cop_from from)
{
    (void)state, (void)from;
    if (cop_expect(request, process_payment)->cents < 0)
        cop_raise("invalid payment");                /* the supervisor starts a fresh one */
    return cop_reply(process_payment, .ok = true);
}

static cop_next bad(void *state, const cop_message *request, cop_from from)
{
    bool *broken = state;
    (void)from;
    if (cop_expect(request, process_payment)->cents < 0)
        *broken = true;                              /* hidden: the state is bad from now on */
    return cop_reply(process_payment, .ok = !*broken);
}

static const cop_gen_server good_worker = { .name = "good_worker", .handle_call = good };
static const cop_gen_server bad_worker = { .name = "bad_worker", .state_size = sizeof(bool),
                                           .handle_call = bad };
static const cop_child_spec children[] = { COP_CHILD_SERVER(good_worker),
                                           COP_CHILD_SERVER(bad_worker) };
static const cop_supervisor supervisor = { COP_CHILDREN(children) };

/* ---- on stage ---- */

static void story(void *argument)
{
    (void)argument;
    cop_supervisor_start_link(&supervisor);
    for (int i = 0; i < 2; i++) {
        const char *name = children[i].id;
        process_payment_reply reply = { false };
        cop_call(name, NULL, process_payment, .cents = -1);
        settle();
        cop_call(name, &reply, process_payment, .cents = 100);
        printf("%s after an invalid payment: %s\n", name, reply.ok ? "works" : "stays broken");
    }
}

PLAY(story)
