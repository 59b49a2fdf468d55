/* model.h - a small model of supervision, written from the documents and not from the library.
 *
 * A tree of workers, supervisors and dynamic supervisors, and a clock.  Something happens to it,
 * and the model says all that follows: who starts and who ends, in which order and when, now and
 * when a delay is over.  A supervisor does one thing at a time, and so does the model.  Two things
 * that would go on side by side (a retry is due while another supervisor waits for a child) it does
 * not follow: it is unsure then, and the history ends there. */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include <coppice/dynamic_supervisor.h>

enum { NODES_MAX = 20, CHILDREN_MAX = 5, INTENSITY_MAX = 4, EVENTS_MAX = 512,
       START_LIMIT_MS = 47 /* a start that hangs is given up then */ };

enum kind { A_WORKER, A_SUPERVISOR, A_DYNAMIC };

/* What may go wrong with a worker's start. */
enum luck { FAILS, HANGS, IS_IGNORED, IS_NEVER_READY };

/* What is generated: both the model and the library get it. */
struct plan {
    int count;                          /* of nodes; the first is the top */
    struct planned {
        enum kind kind;
        int parent;
        enum cop_restart restart;       /* as a child */
        bool significant;
        int backoff_ms, backoff_factor, backoff_max_ms, backoff_reset_ms;     /* 0: none */
        int budget, budget_seconds;     /* seconds 0: none */
        enum cop_spent when_spent;
        cop_shutdown shutdown;          /* a worker */
        int init_ms, end_ms;            /* its init and its terminate take so long */
        int ready_after_ms, ready_ms;   /* ready_ms 0: it is ready when it has started */
        int drained_after_ms, drain_ms; /* drain_ms 0: it is not drained */
        int unlucky;                    /* so many of its next starts go wrong, each side counts */
        enum luck luck;
        enum cop_strategy strategy;     /* a supervisor */
        enum cop_auto_shutdown auto_shutdown;
        int intensity, seconds;         /* of both kinds */
        int max_children;               /* a dynamic one */
        int children[CHILDREN_MAX], child_count;
    } nodes[NODES_MAX];
};

enum ending { ENDS_NORMAL, ENDS_SHUTDOWN, ENDS_ERROR, ENDS_KILLED };

/* The last restarts that were allowed, oldest first. */
struct window { int64_t ns[INTENSITY_MAX]; int count; };

/* A worker has started ('+') or ended ('-'). */
struct event { int64_t ns; int node; char sign; };
struct story { struct event events[EVENTS_MAX]; int count; };

enum state { IS_DOWN, IS_UP, IS_RESTARTING };

struct model {
    struct plan plan;
    int64_t now_ns;                     /* when all is done that was to be done at once */
    int64_t settled_ns;                 /* when those that nobody waits for have ended, too */
    bool unsure, parallel;              /* parallel: some of the story happened side by side */
    struct modelled {
        enum state state;
        bool ready, waits;              /* waits: restarting, behind its supervisor's gate */
        int64_t since_ns, due_ns;       /* up since; a retry, its readiness or the end of the time
                                         * for that is due; 0: nothing is */
        int in_a_row;                   /* restarts that were delayed */
        struct window budget;
        struct window restarts;         /* of a supervisor */
        int order[CHILDREN_MAX], count; /* the children it has, oldest first */
        int gate;                       /* a group waits for this child; 0: for none */
        int starts, ends;               /* of a worker */
    } nodes[NODES_MAX];
    struct story story;
};

void story_add(struct story *story, int64_t ns, char sign, int node);

void model_init(struct model *model, const struct plan *plan);

/* All that is due until then; now_ns is when the last of it is done. */
void model_advance(struct model *model, int64_t until_ns);
int64_t model_next_ns(const struct model *model);             /* INT64_MAX: nothing is */

/* Each does all that follows from it at once, from now_ns on. */
bool model_start(struct model *model);                        /* the top; whether it runs */
void model_end(struct model *model, int node, enum ending ending);
int model_terminate(struct model *model, int parent, int child);
int model_restart(struct model *model, int parent, int child);
int model_delete(struct model *model, int parent, int child);
int model_start_child(struct model *model, int parent, int child);

#endif
