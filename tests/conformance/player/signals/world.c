/* world.c - the names of processes, monitors and aliases, and what happened to them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "history.h"
#include "note.h"

struct subject *world_subject(const struct world *world, const char *name)
{
    struct subject *subject = world->subjects;
    while (subject != NULL && strcmp(subject->name, name) != 0) subject = subject->next;
    return subject;
}

const char *world_name_of(const struct world *world, cop_pid pid)
{
    const struct subject *subject = world->subjects;
    while (subject != NULL && !cop_pid_equal(subject->pid, pid)) subject = subject->next;
    return subject == NULL ? "?" : subject->name;
}

struct subject *world_add(struct world *world, const char *name, bool trap)
{
    struct subject *subject = pool_alloc(&world->pool, sizeof *subject);
    *subject = (struct subject){ .next = world->subjects, .world = world, .name = name,
                                 .trap = trap };
    world->subjects = subject;
    return subject;
}

static const char *bind(struct world *world, struct reference **list, char kind, int number,
                        const char *owner, cop_ref ref)
{
    enum { SIZE = 16 };
    char *label = pool_alloc(&world->pool, SIZE);
    snprintf(label, SIZE, "%c%d", kind, number);
    struct reference *reference = pool_alloc(&world->pool, sizeof *reference);
    *reference = (struct reference){ .next = *list, .label = label, .owner = owner, .ref = ref };
    *list = reference;
    return label;
}

const char *world_bind_monitor(struct world *world, const char *owner, cop_ref ref)
{
    return bind(world, &world->monitors, 'm', ++world->monitor_count, owner, ref);
}

const char *world_bind_alias(struct world *world, const char *owner, cop_ref ref)
{
    return bind(world, &world->aliases, 'a', ++world->alias_count, owner, ref);
}

const struct reference *world_reference(const struct reference *list, const char *label)
{
    while (list != NULL && strcmp(list->label, label) != 0) list = list->next;
    return list;
}

static const char *label_of(const struct world *world, cop_ref ref)
{
    const struct reference *monitor = world->monitors;
    while (monitor != NULL && !cop_ref_equal(monitor->ref, ref)) monitor = monitor->next;
    return monitor == NULL ? "?" : monitor->label;
}

void world_got(struct world *world, const struct subject *subject, const cop_message *message)
{
    const cop_exit_message *exit = cop_get(message, cop_exit_message);
    const cop_down_message *down = cop_get(message, cop_down_message);
    const note *said = cop_get(message, note);
    if (exit != NULL) {
        char *reason = reason_text(exit->reason);
        lines_add(&world->events, "%s got exit %s %s", subject->name,
                  world_name_of(world, exit->from), reason);
        free(reason);
    } else if (down != NULL) {
        char *reason = reason_text(down->reason);
        const char *object = down->name != NULL ? down->name : world_name_of(world, down->pid);
        lines_add(&world->events, "%s got down %s %s %s", subject->name,
                  label_of(world, down->ref), object, reason);
        free(reason);
    } else if (said != NULL) {
        lines_add(&world->events, "%s got msg %s %s", subject->name, said->from, said->text);
    } else {
        lines_add(&world->events, "%s got %s", subject->name, message->type->name);
    }
}

void world_died(struct world *world, cop_pid pid, const cop_reason *reason)
{
    char *text = reason_text(reason);
    lines_add(&world->events, "%s died %s", world_name_of(world, pid), text);
    free(text);
}
