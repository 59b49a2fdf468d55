/* children.c - the children of a supervisor: a list, and two tables into it. */
#include "children.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include <coppice/memory.h>

#include "child.h"

static struct child *of_id(struct table_node *node)
{
    return (struct child *)((char *)node - offsetof(struct child, by_id));
}

static struct child *of_pid(struct table_node *node)
{
    return (struct child *)((char *)node - offsetof(struct child, by_pid));
}

struct child *copi_children_by_id(const struct children *children, const char *id)
{
    struct table_node *node = copi_table_find(&children->by_id, copi_table_hash(id));
    while (node != NULL && strcmp(of_id(node)->spec.id, id) != 0) node = copi_table_again(node);
    return node == NULL ? NULL : of_id(node);
}

struct child *copi_children_by_pid(const struct children *children, cop_pid pid)
{
    struct table_node *node = copi_table_find(&children->by_pid, pid.bits);
    return node == NULL ? NULL : of_pid(node);
}

struct child *copi_children_add(struct children *children, const cop_child_spec *spec)
{
    assert(copi_children_by_id(children, spec->id) == NULL);
    struct child *child = cop_alloc(sizeof *child + copi_spec_room(spec));
    copi_spec_copy(&child->spec, spec, child->room);
    copi_upkeep_init(&child->upkeep, &child->spec);
    child->state = COP_CHILD_DOWN;
    child->waiters_end = &child->waiters;
    child->older = children->youngest;
    if (child->older != NULL) child->older->younger = child;
    else children->oldest = child;
    children->youngest = child;
    copi_table_insert(&children->by_id, &child->by_id, copi_table_hash(child->spec.id));
    return child;
}

void copi_children_remove(struct children *children, struct child *child)
{
    copi_children_set_state(children, child, COP_CHILD_DOWN);
    copi_table_remove(&children->by_id, &child->by_id);
    if (child->older != NULL) child->older->younger = child->younger;
    else children->oldest = child->younger;
    if (child->younger != NULL) child->younger->older = child->older;
    else children->youngest = child->older;
    copi_upkeep_deinit(&child->upkeep);
    cop_free(child);
}

static void change_state(struct children *children, struct child *child,
                         enum cop_child_state state)
{
    if (child->state == COP_CHILD_UP) copi_table_remove(&children->by_pid, &child->by_pid);
    if (child->spec.significant) {
        if (child->state != COP_CHILD_DOWN) children->significant--;
        if (state != COP_CHILD_DOWN) children->significant++;
    }
    child->state = state;
    child->waits = false;
    copi_upkeep_disarm(&child->upkeep);
}

void copi_children_set_state(struct children *children, struct child *child,
                             enum cop_child_state state)
{
    assert(state != COP_CHILD_UP);
    change_state(children, child, state);
}

void copi_children_set_up(struct children *children, struct child *child, cop_pid pid, bool again)
{
    assert(child->state != COP_CHILD_UP);
    change_state(children, child, COP_CHILD_UP);
    child->pid = pid;
    copi_upkeep_started(&child->upkeep, &child->spec, !again);
    copi_table_insert(&children->by_pid, &child->by_pid, pid.bits);
}
