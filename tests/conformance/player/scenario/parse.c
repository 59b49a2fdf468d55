/* parse.c - reading a scenario: the tree up to the line ---, then the steps. */
#include "scenario.h"

#include <stdio.h>
#include <string.h>

/* ---- the tree ---------------------------------------------------------------------------- */

/* Puts a node behind its parent's other children. */
static bool adopt(struct scenario *scenario, struct source *source, struct node *node)
{
    if (scenario->nodes == NULL) return true;
    const char *slash = strrchr(node->path, '/');
    struct node *parent = NULL;
    if (slash != NULL) {
        size_t length = (size_t)(slash - node->path);
        parent = node_find(scenario->nodes, pool_copy(source->pool, node->path, length));
    }
    if (parent == NULL)
        return source_complain(source, "'%s' has no parent above", node->path);
    if (parent->kind != NODE_SUP)
        return source_complain(source, "'%s' can't have children here", parent->path);
    if (node_find(scenario->nodes, node->path) != NULL)
        return source_complain(source, "'%s' is there twice", node->path);
    struct node **end = &parent->children;
    while (*end != NULL) end = &(*end)->sibling;
    *end = node;
    return true;
}

static bool read_tree(struct scenario *scenario, struct source *source)
{
    struct node **end = &scenario->nodes;
    for (char *line = source_line(source); line != NULL; line = source_line(source)) {
        if (strcmp(line, "---") == 0) {
            if (scenario->nodes == NULL)
                return source_complain(source, "there is no tree above");
            return true;
        }
        struct words words = source_words(source, line);
        if (words.count < 2)
            return source_complain(source, "'%s' should be KIND PATH key=value...", line);
        struct node *node = node_read(source, words.word[0], words.word[1], words.word + 2,
                                      words.count - 2);
        if (node == NULL || !adopt(scenario, source, node)) return false;
        *end = node;
        end = &node->next;
    }
    return source_complain(source, "the line --- between tree and steps is missing");
}

/* ---- the steps --------------------------------------------------------------------------- */

/* How a step is written; the words behind its name are a path and those of `shape`: i an id,
 * r a reason, k a kind and o options, to the end. */
static const struct form {
    const char *name, *shape, *usage;
} forms[] = {
    [STEP_EXIT] = { "exit", "r", "PATH REASON" },
    [STEP_ADVANCE] = { "advance", "", "MS" },
    [STEP_START_CHILD] = { "start_child", "iko", "SUP ID KIND key=value..." },
    [STEP_TERMINATE_CHILD] = { "terminate_child", "i", "SUP ID" },
    [STEP_DELETE_CHILD] = { "delete_child", "i", "SUP ID" },
    [STEP_RESTART_CHILD] = { "restart_child", "i", "SUP ID" },
    [STEP_GET_CHILDSPEC] = { "get_childspec", "i", "SUP ID" },
    [STEP_WHICH_CHILDREN] = { "which_children", "", "SUP" },
    [STEP_COUNT_CHILDREN] = { "count_children", "", "SUP" },
    [STEP_DYN_START] = { "dyn_start", "io", "DYN NAME key=value..." },
    [STEP_DYN_TERMINATE] = { "dyn_terminate", "i", "DYN NAME" },
};

static char *path_below(struct source *source, const char *path, const char *id)
{
    size_t size = strlen(path) + strlen(id) + 2;
    char *below = pool_alloc(source->pool, size);
    snprintf(below, size, "%s/%s", path, id);
    return below;
}

/* The child that start_child and dyn_start bring: all its words from `from` on are options. */
static bool read_child(struct scenario *scenario, struct source *source, struct step *step,
                       struct words words, const char *kind, size_t from)
{
    struct node *node = node_read(source, kind, path_below(source, step->path, step->id),
                                  words.word + from, words.count - from);
    if (node == NULL) return false;
    /* A supervisor that takes a place of the tree has the tree's children. */
    struct node *known = node_find(scenario->nodes, node->path);
    if (known != NULL) node->children = known->children;
    step->node = node;
    return true;
}

/* The words behind the step's name, by its form; their number is right. */
static bool read_arguments(struct scenario *scenario, struct source *source, struct step *step,
                           struct words words)
{
    step->path = words.word[1];
    if (step->kind == STEP_EXIT) {
        step->reason = words.word[2];
    } else if (step->kind == STEP_ADVANCE) {
        if (!number_from(step->path, INT32_MAX, &step->ms))
            return source_complain(source, "'%s' should be a number of ms", step->path);
    } else if (words.count > 2) {
        step->id = words.word[2];
    }
    if (step->kind == STEP_START_CHILD)
        return read_child(scenario, source, step, words, words.word[3], 4);
    if (step->kind == STEP_DYN_START)
        return read_child(scenario, source, step, words, "worker", 3);
    if (step->kind == STEP_DYN_TERMINATE) step->id = path_below(source, step->path, step->id);
    return true;
}

static struct step *read_step(struct scenario *scenario, struct source *source, const char *line)
{
    struct words words = source_words(source, line);
    struct step *step = pool_alloc(source->pool, sizeof *step);
    *step = (struct step){ .line = source->line, .text = line };
    size_t kind = 0, count = sizeof forms / sizeof *forms;
    while (kind < count && strcmp(forms[kind].name, words.word[0]) != 0) kind++;
    if (kind == count) {
        source_complain(source, "there is no step '%s'", words.word[0]);
        return NULL;
    }
    const struct form *form = &forms[kind];
    bool open = strchr(form->shape, 'o') != NULL;
    size_t least = 2 + strlen(form->shape) - (open ? 1 : 0);
    if (words.count < least || (words.count > least && !open)) {
        source_complain(source, "'%s' should be %s %s", line, form->name, form->usage);
        return NULL;
    }
    step->kind = (enum step_kind)kind;
    return read_arguments(scenario, source, step, words) ? step : NULL;
}

static bool read_steps(struct scenario *scenario, struct source *source)
{
    struct step **end = &scenario->steps;
    for (char *line = source_line(source); line != NULL; line = source_line(source)) {
        *end = read_step(scenario, source, line);
        if (*end == NULL) return false;
        end = &(*end)->next;
    }
    return true;
}

bool scenario_read(struct scenario *scenario, const char *path)
{
    struct source source;
    *scenario = (struct scenario){ 0 };
    return source_open(&source, path, &scenario->pool) && read_tree(scenario, &source) &&
           read_steps(scenario, &source);
}
