/* 18_let_it_crash.c - Best practice 4: a worker that catches its errors stays in a bad state; one
 * that crashes is started again in a good one.  What raises in Elixir returns an error here, and
 * cop_must is the exclamation mark that makes a crash of it. */
#include "cast.h"

COP_CALL(process_payment, { int cents; }, { int error; });
static int validate_payment(const process_payment *payment);
static int charge_customer(void *state, const process_payment *payment);

static cop_next good(void *state, const cop_message *request, cop_from from)
{
    (void)from;
    const process_payment *payment = cop_expect(request, process_payment);
    cop_must(validate_payment(payment));             /* crashes if it is invalid */
    cop_must(charge_customer(state, payment));       /* crashes if that fails */
    return cop_reply(process_payment, .error = COP_OK);
}

static cop_next bad(void *state, const cop_message *request, cop_from from)
{
    (void)from;
    const process_payment *payment = cop_expect(request, process_payment);
    int error = validate_payment(payment);
    if (error == COP_OK)
        error = charge_customer(state, payment);
    return cop_reply(process_payment, .error = error);   /* caught: the supervisor never hears,
                                                          * the state stays as the error left it */
}

/* ---- on stage ---- */

enum { CARD_LIMIT = 5000 };
struct till { bool busy; };

static int validate_payment(const process_payment *payment)
{
    return payment->cents > 0 ? COP_OK : COP_EINVAL;
}

static int charge_customer(void *state, const process_payment *payment)
{
    struct till *till = state;
    if (till->busy)
        return COP_EFAILED;
    till->busy = true;
    if (payment->cents > CARD_LIMIT)
        return COP_EFAILED;                          /* refused half-way: the till is still busy */
    till->busy = false;
    return COP_OK;
}

static const cop_gen_server good_worker = { .name = "good_worker", .handle_call = good,
                                            .state_size = sizeof(struct till) };
static const cop_gen_server bad_worker = { .name = "bad_worker", .handle_call = bad,
                                           .state_size = sizeof(struct till) };
static const cop_child_spec children[] = { COP_CHILD_SERVER(good_worker),
                                           COP_CHILD_SERVER(bad_worker) };
static const cop_supervisor supervisor = { COP_CHILDREN(children) };

static void pay(const char *worker, const char *what, int cents)
{
    process_payment_reply reply;
    int error = cop_call(worker, &reply, process_payment, .cents = cents);
    if (error == COP_OK)
        printf("  %s: replies %s\n", what, reply.error == COP_OK ? "ok" : "an error");
    else
        printf("  %s: crashes, is restarted\n", what);
    settle();
}

static void story(void *argument)
{
    (void)argument;
    cop_must(cop_supervisor_start_link(&supervisor).error);
    for (int i = 0; i < 2; i++) {
        printf("%s\n", children[i].id);
        pay(children[i].id, "an invalid payment", -100);
        pay(children[i].id, "a payment in order", 100);
        pay(children[i].id, "a refused card", CARD_LIMIT + 1);
        pay(children[i].id, "a payment in order", 100);
    }
}

PLAY(story)
