/* dictionary.h - the dictionary of a process: made with its first entry, in its arena. */
#ifndef COPI_DICTIONARY_H
#define COPI_DICTIONARY_H

#include "process.h"

/* At the end, before the arena goes: frees what does not lie in it. */
void copi_dictionary_deinit(struct process *process);

#endif
