/* source.c - reading a file of lines of words. */
#include "source.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t\r\v\f";

/* The rest of the file; NULL with errno. */
static char *read_all(FILE *file, struct pool *pool, size_t *ret_size)
{
    char *text = NULL;
    size_t size = 0, capacity = 0;
    for (;;) {
        if (size + 1 >= capacity) {
            size_t larger = capacity == 0 ? 4096 : 2 * capacity;
            char *more = pool_alloc(pool, larger);
            if (size > 0) memcpy(more, text, size);
            text = more;
            capacity = larger;
        }
        size_t got = fread(text + size, 1, capacity - size - 1, file);
        if (got == 0) break;
        size += got;
    }
    if (ferror(file)) return NULL;
    *ret_size = size;
    return text;
}

bool source_open(struct source *source, const char *path, struct pool *pool)
{
    *source = (struct source){ .path = path, .pool = pool };
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t size = 0;
    if (file != NULL) text = read_all(file, pool, &size);
    if (text == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        source->bad = true;
    } else if (memchr(text, '\0', size) != NULL) {
        fprintf(stderr, "%s: this is not a text file\n", path);
        source->bad = true;
    }
    if (file != NULL) fclose(file);
    source->next = text;
    return !source->bad;
}

char *source_line(struct source *source)
{
    while (source->next != NULL && *source->next != '\0') {
        char *line = source->next + strspn(source->next, blanks);
        char *end = line + strcspn(line, "\n");
        source->next = *end == '\n' ? end + 1 : end;
        source->line++;
        while (end > line && strchr(blanks, end[-1]) != NULL) end--;
        if (end > line && *line != '#')
            return pool_copy(source->pool, line, (size_t)(end - line));
    }
    return NULL;
}

bool source_complain(struct source *source, const char *format, ...)
{
    if (!source->bad) {
        fprintf(stderr, "%s:%d: ", source->path, source->line);
        va_list arguments;
        va_start(arguments, format);
        vfprintf(stderr, format, arguments);
        va_end(arguments);
        fputc('\n', stderr);
    }
    source->bad = true;
    return false;
}

struct words source_words(struct source *source, const char *line)
{
    struct words words = { NULL, 0 };
    char *copy = pool_strdup(source->pool, line);
    words.word = pool_alloc(source->pool, (strlen(line) / 2 + 1) * sizeof *words.word);
    char *rest = NULL;
    for (char *word = strtok_r(copy, blanks, &rest); word != NULL;
         word = strtok_r(NULL, blanks, &rest))
        words.word[words.count++] = word;
    return words;
}

bool number_from(const char *word, int64_t max, int64_t *ret_number)
{
    if (*word == '\0' || word[strspn(word, "0123456789")] != '\0') return false;
    errno = 0;
    long long number = strtoll(word, NULL, 10);
    if (errno != 0 || number > max) return false;
    *ret_number = number;
    return true;
}

int place_in(const char *const *list, const char *word)
{
    for (int i = 0; list[i] != NULL; i++) {
        if (strcmp(list[i], word) == 0) return i;
    }
    return -1;
}
