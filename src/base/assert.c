/* assert.c - how the node ends when the runtime finds itself broken.
 *
 * It may run on any stack, in a signal handler, with the heap damaged or locked: no malloc, no
 * stdio, only last_words.h. */
#include "assert.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "last_words.h"

struct line {
    size_t size;
    char text[512];
};

/* Leaves room for the newline; what does not fit is cut off. */
static void append(struct line *line, const char *text)
{
    size_t room = sizeof line->text - 1 - line->size;
    size_t size = strlen(text);
    if (size > room)
        size = room;
    memcpy(line->text + line->size, text, size);
    line->size += size;
}

static void append_number(struct line *line, int number)
{
    char digits[16];
    char *digit = digits + sizeof digits - 1;
    unsigned rest = number < 0 ? 0 : (unsigned)number;
    *digit = '\0';
    do {
        *--digit = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    append(line, digit);
}

/* SIGABRT by its default action: neither the runtime's handler nor its abort(), which both would
 * take it for a process's crash. */
__attribute__((noreturn)) static void end(struct line *line)
{
    line->text[line->size++] = '\n';
    copi_last_words(line->text, line->size);

    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, SIGABRT);
    signal(SIGABRT, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &only, NULL);
    raise(SIGABRT);
    _exit(128 + SIGABRT);
}

void copi_misused(const char *function, const char *what)
{
    struct line line = { .size = 0 };
    append(&line, "coppice: ");
    append(&line, function);
    append(&line, " ");
    append(&line, what);
    end(&line);
}

void copi_no_memory(const char *what)
{
    struct line line = { .size = 0 };
    append(&line, "coppice: no memory for ");
    append(&line, what);
    append(&line, ": the node ends");
    end(&line);
}

void copi_broken(const char *what, const char *file, int line_number)
{
    struct line line = { .size = 0 };
    append(&line, "coppice: the runtime is broken: ");
    append(&line, file);
    append(&line, ":");
    append_number(&line, line_number);
    append(&line, ": ");
    append(&line, what);
    end(&line);
}
