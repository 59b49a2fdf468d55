/* note.h - the message that processes of a history send to each other. */
#ifndef CONFORMANCE_NOTE_H
#define CONFORMANCE_NOTE_H

#include <coppice/message.h>

/* Both texts live as long as the history. */
COP_MESSAGE(note, { const char *from; const char *text; });

#endif
