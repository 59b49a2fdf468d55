/* model.h - a small model of supervision, written from the documents and not from the library.
 *
 * A tree of workers and supervisors.  Things happen to it one after the other, each with all its
 * consequences at one moment; the model says who starts and who ends, in which order. */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include <coppice/supervisor.h>

enum { NODES_MAX = 20, CHILDREN_MAX = 5, RESTARTS_MAX = 512, STORY_MAX = 4096 };

/* What is generated: both the model and the library get it. */
struct plan {
    int count;                          /* of nodes; the first is the top */
    struct planned {
        bool is_supervisor;
        int parent;
        enum cop_restart restart;
        enum cop_strategy strategy;     /* of a supervisor, and so on */
        uint32_t intensity, seconds;
        int children[CHILDREN_MAX], child_count;
        int failing;                    /* so many of its next starts fail; counted by each side */
    } nodes[NODES_MAX];
};

enum ending { ENDS_NORMAL, ENDS_SHUTDOWN, ENDS_ERROR, ENDS_KILLED };

struct model {
    struct plan plan;
    int64_t now_ns;
    struct modelled {
        bool up;
        int starts, ends;               /* of a worker */
        int order[CHILDREN_MAX], count; /* the specs a supervisor has, oldest first */
        int64_t restarts[RESTARTS_MAX];
        int restart_count;
    } nodes[NODES_MAX];
    char story[STORY_MAX];              /* "+3" worker 3 has started, "-3" it has ended */
    size_t story_size;
};

void model_init(struct model *model, const struct plan *plan);

/* Each does all that follows from it, at now_ns. */
bool model_start(struct model *model, int node);              /* the top; whether it runs */
void model_end(struct model *model, int node, enum ending ending);
int model_terminate(struct model *model, int parent, int child);
int model_restart(struct model *model, int parent, int child);
int model_delete(struct model *model, int parent, int child);
int model_start_child(struct model *model, int parent, int child);

#endif
