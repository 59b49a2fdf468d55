/* cast.c - see cast.h. */
#include "cast.h"

#include <string.h>

COP_MESSAGE(please_crash, COP_EMPTY);

enum { PARTS_MAX = 32 };
static struct { const char *name; int instances; } parts[PARTS_MAX];

/* Where the server of that name is counted, or the first free place. */
static int place_of(const char *name)
{
    int i = 0;
    while (i < PARTS_MAX - 1 && parts[i].name != NULL && strcmp(parts[i].name, name) != 0)
        i++;
    return i;
}

static cop_next init(void *state, const void *argument)
{
    (void)state;
    (void)argument;
    int place = place_of(cop_label());
    parts[place].name = cop_label();
    parts[place].instances++;
    return cop_ok();
}

static cop_next handle_info(void *state, const cop_message *message)
{
    (void)state;
    if (cop_is(message, please_crash))
        cop_raise("told to");
    return cop_noreply();
}

#define PART(name_)                                                                      \
    const cop_gen_server name_ = { .name = #name_, .init = init, .handle_info = handle_info }
PART(payment_processor);
PART(donation_processor);
PART(notification_service);
PART(invoice_tracker);
PART(connection_manager);
PART(query_executor);
PART(database_pool);
PART(database);
PART(query_cache);
PART(connection_pool);
PART(connection_monitor);
PART(payment_api);
PART(donation_api);
PART(payment_worker);
PART(donation_worker);
PART(notification_worker);
PART(payment_worker_1);
PART(payment_worker_2);
PART(donation_worker_1);
PART(donation_worker_2);
PART(worker_1);
PART(worker_2);

void settle(void)
{
    cop_sleep(1);     /* virtual: passes when nobody has anything left to do */
}

void crash(const char *name)
{
    cop_send(name, please_crash);
    settle();
}

static void show_children(cop_pid supervisor, int depth)
{
    cop_child_info *children;
    size_t count;
    if (cop_supervisor_which_children(cop_to(supervisor), &children, &count) != 0)
        return;
    while (count-- > 0) {
        const cop_child_info *child = &children[count];
        if (child->type == COP_SUPERVISOR)
            printf("%*s%s\n", 2 * depth, "", child->id);
        else
            printf("%*s%s (%s %d)\n", 2 * depth, "", child->id,
                   child->state == COP_CHILD_UP ? "instance" : "down after",
                   parts[place_of(child->id)].instances);
        if (child->type == COP_SUPERVISOR && child->state == COP_CHILD_UP)
            show_children(child->pid, depth + 1);
    }
    cop_free(children);
}

void show(const char *title, cop_pid supervisor)
{
    printf("%s\n", title);
    if (cop_is_alive(supervisor))
        show_children(supervisor, 1);
    else
        printf("  the supervisor has given up\n");
}

void end_scene(cop_pid supervisor)
{
    cop_supervisor_stop(cop_to(supervisor), COP_NORMAL);
    memset(parts, 0, sizeof parts);
}

const char *reason_text(const cop_reason *reason)
{
    static char text[256];
    cop_reason_format(reason, text, sizeof text);
    return text;
}

int play(cop_function *story)
{
    int status = cop_run(story, NULL, &(cop_run_options){ .deterministic = true, .seed = 2 });
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "standard output could not be written\n");
    return 1;
}
