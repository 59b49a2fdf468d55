/* lines.c - a growing list of lines; reasons as text and from text. */
#include "lines.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "pool.h"

static void *checked(void *memory)
{
    if (memory == NULL) pool_exhausted();
    return memory;
}

static void append(struct lines *lines, char *line)
{
    if (lines->count == lines->capacity) {
        lines->capacity = lines->capacity == 0 ? 16 : 2 * lines->capacity;
        lines->line = checked(realloc(lines->line, lines->capacity * sizeof *lines->line));
    }
    lines->line[lines->count++] = line;
}

void lines_add(struct lines *lines, const char *format, ...)
{
    char *line = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&line, format, arguments);
    va_end(arguments);
    if (length < 0) pool_exhausted();
    append(lines, line);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void lines_sort(struct lines *lines)
{
    if (lines->count > 1) qsort(lines->line, lines->count, sizeof *lines->line, by_bytes);
}

void lines_move(struct lines *lines, struct lines *from, const char *prefix)
{
    for (size_t i = 0; i < from->count; i++) lines_add(lines, "%s%s", prefix, from->line[i]);
    lines_free(from);
}

char *lines_join(const struct lines *lines, const char *between)
{
    size_t size = 1;
    for (size_t i = 0; i < lines->count; i++) size += strlen(lines->line[i]) + strlen(between);
    char *text = checked(calloc(1, size));
    char *end = text;
    for (size_t i = 0; i < lines->count; i++) {
        if (i > 0) end = stpcpy(end, between);
        end = stpcpy(end, lines->line[i]);
    }
    return text;
}

int lines_write(const struct lines *lines, FILE *file)
{
    for (size_t i = 0; i < lines->count; i++) {
        if (fputs(lines->line[i], file) == EOF || putc('\n', file) == EOF) return -1;
    }
    return 0;
}

void lines_free(struct lines *lines)
{
    for (size_t i = 0; i < lines->count; i++) free(lines->line[i]);
    free(lines->line);
    *lines = (struct lines){ 0 };
}

char *reason_text(const cop_reason *reason)
{
    size_t size = (size_t)cop_reason_format(reason, NULL, 0) + 1;
    char *text = checked(malloc(size));
    cop_reason_format(reason, text, size);
    return text;
}

const cop_reason *reason_from_word(const char *word)
{
    const char shutdown[] = "shutdown:";
    if (strncmp(word, shutdown, sizeof shutdown - 1) == 0)
        return cop_reason_tuple("shutdown", cop_reason_atom(word + sizeof shutdown - 1));
    return cop_reason_atom(word);
}
