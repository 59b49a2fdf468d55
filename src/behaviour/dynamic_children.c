/* dynamic_children.c - the children of a dynamic supervisor: their records. */
#include "dynamic_children.h"

#include <assert.h>
#include <string.h>

#include <coppice/memory.h>

void copi_dynamic_init(struct dynamic_children *children, const cop_child_spec *template_)
{
    if (template_ == NULL) return;
    struct { _Alignas(16) cop_child_spec spec; } *copy;
    copy = cop_alloc(sizeof *copy + copi_spec_room(template_));
    copi_spec_copy(&copy->spec, template_, copy + 1);
    children->template_ = &copy->spec;
}

static void insert(struct dynamic_children *children, struct dynamic_child *child, cop_pid pid)
{
    assert(!cop_pid_is_none(pid));
    copi_table_insert(&children->by_pid, &child->by_pid, pid.bits);
    if (copi_dynamic_spec(children, child)->type == COP_SUPERVISOR) children->supervisors++;
}

/* The argument's bytes are behind the child already. */
static struct dynamic_child *insert_particular(struct dynamic_children *children,
                                               struct particular_child *child,
                                               size_t argument_size, cop_pid pid)
{
    assert(argument_size <= UINT32_MAX);    /* it came in a message */
    child->child.particular = true;
    child->child.argument_size = (uint32_t)argument_size;
    insert(children, &child->child, pid);
    if (copi_upkeep_wanted(child->spec)) {
        child->upkeep = cop_alloc(sizeof *child->upkeep);
        copi_upkeep_init(child->upkeep, child->spec);
        copi_upkeep_started(child->upkeep, child->spec, true);
    }
    return &child->child;
}

struct dynamic_child *copi_dynamic_add(struct dynamic_children *children,
                                       const cop_child_spec *spec, cop_pid pid)
{
    cop_child_spec kept = *spec;
    if (kept.restart == COP_TEMPORARY) {
        kept.argument = NULL;
        kept.argument_size = 0;
    }
    struct { _Alignas(16) struct particular_child child; cop_child_spec spec; } *record;
    record = cop_alloc(sizeof *record + copi_spec_room(&kept));
    copi_spec_copy(&record->spec, &kept, record + 1);
    record->child.spec = &record->spec;
    record->child.argument = record->spec.argument;
    return insert_particular(children, &record->child, kept.argument_size, pid);
}

struct dynamic_child *copi_dynamic_add_from(struct dynamic_children *children, const void *argument,
                                            size_t argument_size, cop_pid pid)
{
    const cop_child_spec *template_ = children->template_;
    assert(template_ != NULL);
    if (template_->restart == COP_TEMPORARY) {
        argument = NULL;
        argument_size = 0;
    }
    if (argument == NULL && !copi_upkeep_wanted(template_)) {
        static_assert(sizeof(struct dynamic_child) == 24, "32 bytes of memory, header included");
        struct dynamic_child *child = cop_alloc(sizeof *child);
        insert(children, child, pid);
        return child;
    }
    static_assert(sizeof(struct particular_child) % 16 == 0, "the argument behind is aligned");
    struct particular_child *child = cop_alloc(sizeof *child + argument_size);
    child->spec = template_;
    child->argument = argument_size > 0 ? memcpy(child + 1, argument, argument_size) : argument;
    return insert_particular(children, child, argument_size, pid);
}

void copi_dynamic_remove(struct dynamic_children *children, struct dynamic_child *child)
{
    struct upkeep *upkeep = copi_dynamic_upkeep(child);
    copi_dynamic_set_restarting(children, child, false);
    if (copi_dynamic_spec(children, child)->type == COP_SUPERVISOR) children->supervisors--;
    copi_table_remove(&children->by_pid, &child->by_pid);
    if (upkeep != NULL) copi_upkeep_deinit(upkeep);
    cop_free(upkeep);
    cop_free(child);
}

struct dynamic_child *copi_dynamic_find(const struct dynamic_children *children, cop_pid pid)
{
    return (struct dynamic_child *)copi_table_find(&children->by_pid, pid.bits);
}

struct dynamic_child *copi_dynamic_first(const struct dynamic_children *children)
{
    return (struct dynamic_child *)copi_table_first(&children->by_pid);
}

struct dynamic_child *copi_dynamic_next(const struct dynamic_children *children,
                                        const struct dynamic_child *child)
{
    return (struct dynamic_child *)copi_table_next(&children->by_pid, &child->by_pid);
}

cop_child_spec copi_dynamic_start_spec(const struct dynamic_children *children,
                                       const struct dynamic_child *child)
{
    cop_child_spec spec = *copi_dynamic_spec(children, child);
    spec.argument = child->particular ? ((const struct particular_child *)child)->argument : NULL;
    spec.argument_size = child->argument_size;
    return spec;
}

void copi_dynamic_set_restarting(struct dynamic_children *children, struct dynamic_child *child,
                                 bool restarting)
{
    if (child->restarting) children->restarting--;
    if (restarting) children->restarting++;
    child->restarting = restarting;
}

void copi_dynamic_set_pid(struct dynamic_children *children, struct dynamic_child *child,
                          cop_pid pid)
{
    copi_dynamic_set_restarting(children, child, false);
    copi_table_remove(&children->by_pid, &child->by_pid);
    copi_table_insert(&children->by_pid, &child->by_pid, pid.bits);
    struct upkeep *upkeep = copi_dynamic_upkeep(child);
    if (upkeep != NULL)
        copi_upkeep_started(upkeep, copi_dynamic_spec(children, child), false);
}

void copi_dynamic_release_reasons(const struct dynamic_children *children)
{
    for (struct dynamic_child *child = copi_dynamic_first(children); child != NULL;
         child = copi_dynamic_next(children, child)) {
        const struct upkeep *upkeep = copi_dynamic_upkeep(child);
        if (upkeep != NULL) cop_reason_unref(upkeep->last_end);
    }
}
