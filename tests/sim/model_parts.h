/* model_parts.h - what the model's two files share. */
#ifndef SIM_MODEL_PARTS_H
#define SIM_MODEL_PARTS_H

#include "model.h"

static const int64_t MS = 1000000;

enum outcome { STARTED, FAILED, IGNORED };

/* Where among its children, or -1; takes it out. */
int model_place_of(const struct modelled *supervisor, int child);
void model_forget(struct model *model, int supervisor, int child);

/* Down for good, until a call starts it; one that is temporary or dynamic is forgotten. */
void model_put_down(struct model *model, int supervisor, int child);

/* The node that is due next, or 0. */
int model_next_due(const struct model *model);

/* Somebody waits so long.  What is due meanwhile would go on beside that: the model is unsure. */
void model_pass(struct model *model, int64_t ms);

/* The worker is gone. */
void model_end_worker(struct model *model, int node);

/* By its supervisor, which waits for that; all children from the youngest down to that place. */
void model_stop(struct model *model, int node);
void model_stop_from(struct model *model, int supervisor, int place);

/* A supervisor was killed: those below it end by themselves, side by side, and nobody waits. */
void model_abandon(struct model *model, int supervisor);

/* With all below it. */
enum outcome model_start_node(struct model *model, int node);

/* Whether what is due is the end of its time to get ready. */
bool model_is_late(const struct model *model, int node);

#endif
