/* trace.c - the story of a test: a growing text under a lock, and its comparison. */
#include "trace.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRACE_LINE_MAX = 1024 };   /* bytes of a line; a longer one is cut */

static struct {
    pthread_mutex_t lock;
    char *text;
    size_t size;
    size_t room;
} story = { .lock = PTHREAD_MUTEX_INITIALIZER };

void trace_reset(void)
{
    pthread_mutex_lock(&story.lock);
    story.size = 0;
    if (story.text != NULL)
        story.text[0] = '\0';
    pthread_mutex_unlock(&story.lock);
}

/* With the lock held. */
static void append(const char *line, size_t length)
{
    size_t need = story.size + length + 2;
    if (need > story.room) {
        size_t room = need * 2;
        char *text = realloc(story.text, room);
        if (text == NULL)
            abort();
        story.text = text;
        story.room = room;
    }
    memcpy(story.text + story.size, line, length);
    story.size += length;
    story.text[story.size++] = '\n';
    story.text[story.size] = '\0';
}

void trace(const char *format, ...)
{
    char line[TRACE_LINE_MAX];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length < 0)
        abort();

    pthread_mutex_lock(&story.lock);
    append(line, strnlen(line, sizeof line));
    pthread_mutex_unlock(&story.lock);
}

const char *trace_text(void)
{
    return story.text == NULL ? "" : story.text;
}

/* Prints one text, its lines numbered and the given one marked; marks the end if the text has
 * no such line. */
static void print_marked(const char *title, const char *text, unsigned marked)
{
    fprintf(stderr, "  %s:\n", title);
    unsigned number = 1;
    for (; *text != '\0'; number++) {
        int length = (int)strcspn(text, "\n");
        fprintf(stderr, "  %s %3u  %.*s\n", number == marked ? "->" : "  ", number, length, text);
        text += length;
        if (*text == '\n')
            text++;
    }
    if (marked >= number)
        fprintf(stderr, "  -> %3u  (nothing)\n", number);
}

bool trace_matches(const char *expected, const char *file, int line)
{
    const char *actual = trace_text();
    if (strcmp(actual, expected) == 0)
        return true;

    unsigned number = 1;
    for (size_t i = 0; actual[i] == expected[i]; i++) {
        if (actual[i] == '\n')
            number++;
    }
    fprintf(stderr, "%s:%d: the traces differ in line %u\n", file, line, number);
    print_marked("expected", expected, number);
    print_marked("got", actual, number);
    return false;
}
