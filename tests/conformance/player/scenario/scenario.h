/* scenario.h - a scenario as it was read: a supervision tree and the steps that happen to it.
 *
 * PROTOCOL.md describes the file.  Everything here lives in the scenario's pool and is constant
 * once it is read. */
#ifndef CONFORMANCE_SCENARIO_H
#define CONFORMANCE_SCENARIO_H

#include <coppice/dynamic_supervisor.h>

#include "../common/pool.h"
#include "../common/source.h"

enum node_kind { NODE_SUP, NODE_DYN, NODE_WORKER };

/* What a worker's init does. */
enum outcome { OUTCOME_OK, OUTCOME_IGNORE, OUTCOME_ERROR, OUTCOME_CRASH };
extern const char *const outcome_names[];

/* What a worker's terminate does; all but EXIT trap exits. */
enum ending { ENDING_EXIT, ENDING_TRAP, ENDING_HANG, ENDING_LATE, ENDING_REASON };

/* A place in the tree with its options. */
struct node {
    enum node_kind kind;
    const char *path, *id;             /* id: the path's last component */
    struct node *children, *sibling;   /* the first child; the parent's next one */
    struct node *next;                 /* in the file */

    enum cop_restart restart;
    bool significant;
    cop_shutdown shutdown;

    enum cop_strategy strategy;        /* sup */
    cop_intensity intensity;           /* sup, dyn */
    enum cop_auto_shutdown auto_shutdown;
    enum cop_restart child_restart;    /* dyn */
    cop_shutdown child_shutdown;

    enum outcome *starts;              /* worker: of the first start, the second, ... */
    size_t start_count;                /* at least 1; the last one is for all later ones */
    enum ending ending;
    int64_t late_ms;                   /* ENDING_LATE */
    const char *reason;                /* ENDING_REASON */
};

enum step_kind {
    STEP_EXIT, STEP_ADVANCE, STEP_START_CHILD, STEP_TERMINATE_CHILD, STEP_DELETE_CHILD,
    STEP_RESTART_CHILD, STEP_GET_CHILDSPEC, STEP_WHICH_CHILDREN, STEP_COUNT_CHILDREN,
    STEP_DYN_START, STEP_DYN_TERMINATE
};

struct step {
    struct step *next;
    enum step_kind kind;
    int line;
    const char *text;            /* as it stands in the file */
    const char *path;            /* the process it is about */
    const char *id;              /* of the child; of dyn_terminate the child's whole path */
    const char *reason;          /* exit */
    int64_t ms;                  /* advance */
    const struct node *node;     /* start_child, dyn_start: the new child */
};

struct scenario {
    struct pool pool;
    struct node *nodes;          /* the root first */
    struct step *steps;
};

/* Reads a file; says what is wrong with it and returns false if anything is.  To be freed with
 * pool_free(&scenario->pool) either way. */
bool scenario_read(struct scenario *scenario, const char *path);

/* The node with that path among `nodes`, or NULL. */
struct node *node_find(struct node *nodes, const char *path);

/* A node with that kind's defaults and the options key=value given; complains and returns
 * NULL if one of them is wrong. */
struct node *node_read(struct source *source, const char *kind, const char *path,
                       char *const *options, size_t count);

#endif
