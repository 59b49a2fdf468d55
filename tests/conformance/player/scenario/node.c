/* node.c - reading one place of the tree: its kind, its path and its options. */
#include "scenario.h"

#include <string.h>

static const char *const kinds[] = { "sup", "dyn", "worker", NULL };
static const char *const strategies[] = { "one_for_one", "rest_for_one", "one_for_all", NULL };
static const char *const auto_shutdowns[] = { "never", "any_significant", "all_significant",
                                              NULL };
static const char *const restarts[] = { "permanent", "transient", "temporary", NULL };
static const char *const truths[] = { "false", "true", NULL };
static const char *const endings[] = { "exit", "trap", "hang", "late", "reason", NULL };
const char *const outcome_names[] = { "ok", "ignore", "error", "crash", NULL };

/* The place of the value among the words. */
static bool read_choice(const char *const *words, const char *value, int *ret_choice)
{
    int choice = place_in(words, value);
    if (choice >= 0) *ret_choice = choice;
    return choice >= 0;
}

static bool read_shutdown(const char *value, cop_shutdown *ret_shutdown)
{
    static const cop_shutdown kill = COP_BRUTAL_KILL, forever = COP_SHUTDOWN_INFINITY;
    int64_t ms = 0;
    if (strcmp(value, "brutal_kill") == 0)
        *ret_shutdown = kill;
    else if (strcmp(value, "infinity") == 0)
        *ret_shutdown = forever;
    else if (number_from(value, UINT32_MAX, &ms))
        *ret_shutdown = (cop_shutdown)COP_SHUTDOWN_MS(ms);
    else
        return false;
    return true;
}

/* exit, trap, hang, late:MS or reason:R. */
static bool read_ending(struct node *node, struct source *source, const char *value)
{
    size_t length = strcspn(value, ":");
    const char *detail = value[length] == ':' ? value + length + 1 : NULL;
    int ending = place_in(endings, pool_copy(source->pool, value, length));
    if (ending < 0 || (ending == ENDING_LATE || ending == ENDING_REASON) != (detail != NULL))
        return false;
    node->ending = (enum ending)ending;
    if (ending == ENDING_LATE) return number_from(detail, UINT32_MAX, &node->late_ms);
    if (ending == ENDING_REASON) node->reason = pool_strdup(source->pool, detail);
    return ending != ENDING_REASON || *detail != '\0';
}

/* Outcomes with commas between. */
static bool read_starts(struct node *node, struct source *source, const char *value)
{
    char *copy = pool_strdup(source->pool, value), *rest = NULL;
    node->starts = pool_alloc(source->pool, (strlen(value) + 1) * sizeof *node->starts);
    node->start_count = 0;
    for (char *word = strtok_r(copy, ",", &rest); word != NULL; word = strtok_r(NULL, ",", &rest)) {
        int outcome = place_in(outcome_names, word);
        if (outcome < 0) return false;
        node->starts[node->start_count++] = (enum outcome)outcome;
    }
    return node->start_count > 0;
}

enum key {
    KEY_STRATEGY, KEY_INTENSITY, KEY_PERIOD, KEY_AUTO_SHUTDOWN, KEY_RESTART, KEY_SIGNIFICANT,
    KEY_SHUTDOWN, KEY_CHILD_RESTART, KEY_CHILD_SHUTDOWN, KEY_START, KEY_ON_SHUTDOWN
};
static const char *const keys[] = {
    "strategy", "intensity", "period", "auto_shutdown", "restart", "significant", "shutdown",
    "child_restart", "child_shutdown", "start", "on_shutdown", NULL
};

/* Sets what the key names; false if the value is not one of its values. */
static bool set_option(struct node *node, struct source *source, enum key key, const char *value)
{
    int choice = 0;
    int64_t number = 0;
    bool good = true;
    switch (key) {
    case KEY_STRATEGY:
        good = read_choice(strategies, value, &choice);
        node->strategy = (enum cop_strategy)choice;
        break;
    case KEY_INTENSITY:
        good = number_from(value, UINT32_MAX, &number);
        node->intensity.restarts = (uint32_t)number;
        break;
    case KEY_PERIOD:
        good = number_from(value, UINT32_MAX, &number) && number > 0;
        node->intensity.seconds = (uint32_t)number;
        break;
    case KEY_AUTO_SHUTDOWN:
        good = read_choice(auto_shutdowns, value, &choice);
        node->auto_shutdown = (enum cop_auto_shutdown)choice;
        break;
    case KEY_RESTART:
        good = read_choice(restarts, value, &choice);
        node->restart = (enum cop_restart)choice;
        break;
    case KEY_SIGNIFICANT:
        good = read_choice(truths, value, &choice);
        node->significant = choice != 0;
        break;
    case KEY_SHUTDOWN:
        return read_shutdown(value, &node->shutdown);
    case KEY_CHILD_RESTART:
        good = read_choice(restarts, value, &choice);
        node->child_restart = (enum cop_restart)choice;
        break;
    case KEY_CHILD_SHUTDOWN:
        return read_shutdown(value, &node->child_shutdown);
    case KEY_START:
        return read_starts(node, source, value);
    case KEY_ON_SHUTDOWN:
        return read_ending(node, source, value);
    }
    return good;
}

static bool read_option(struct node *node, struct source *source, const char *option)
{
    size_t length = strcspn(option, "=");
    if (option[length] != '=')
        return source_complain(source, "'%s' should be key=value", option);
    int key = place_in(keys, pool_copy(source->pool, option, length));
    if (key < 0)
        return source_complain(source, "there is no option '%.*s'", (int)length, option);
    const char *value = option + length + 1;
    if (!set_option(node, source, (enum key)key, value))
        return source_complain(source, "'%s' is no value for %s", value, keys[key]);
    return true;
}

struct node *node_read(struct source *source, const char *kind, const char *path,
                       char *const *options, size_t count)
{
    static enum outcome always_ok[] = { OUTCOME_OK };
    int place = place_in(kinds, kind);
    if (place < 0) {
        source_complain(source, "'%s' should be sup, dyn or worker", kind);
        return NULL;
    }
    struct node *node = pool_alloc(source->pool, sizeof *node);
    const char *slash = strrchr(path, '/');
    *node = (struct node){
        .kind = (enum node_kind)place, .path = path, .id = slash == NULL ? path : slash + 1,
        .intensity = { .set = true, .restarts = 3, .seconds = 5, .whole_seconds = true },
        .starts = always_ok, .start_count = 1 };
    if (*node->id == '\0') {
        source_complain(source, "'%s' is no path", path);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (!read_option(node, source, options[i])) return NULL;
    }
    return node;
}

struct node *node_find(struct node *nodes, const char *path)
{
    struct node *node = nodes;
    while (node != NULL && strcmp(node->path, path) != 0) node = node->next;
    return node;
}
