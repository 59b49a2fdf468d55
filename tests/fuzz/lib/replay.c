/* replay.c - gives a harness the bytes of files, in place of libFuzzer:
 *
 *     fuzz_NAME FILE|DIRECTORY...
 *
 * A file's name is printed before it is tried, so that the last one is the guilty one.  Status 0 if
 * all of them, and at least one, went well. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

enum { FILE_MAX = 1 << 20 };

static int replayed;

static int replay_file(const char *path)
{
    static uint8_t room[FILE_MAX];
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        printf("%s: %s\n", path, strerror(errno));
        return -1;
    }
    size_t size = fread(room, 1, sizeof room, file);
    fclose(file);
    uint8_t *bytes = malloc(size + 1);      /* of its own, so that reading behind it is seen */
    if (bytes == NULL) return -1;
    memcpy(bytes, room, size);
    bytes = realloc(bytes, size > 0 ? size : 1);
    printf("%s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
    replayed++;
    return 0;
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* In the order of their names. */
static int replay(const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, visible, alphasort), error = 0;
    if (count < 0) return replay_file(path);
    for (int i = 0; i < count; i++) {
        char *name = NULL;
        if (asprintf(&name, "%s/%s", path, entries[i]->d_name) < 0) abort();
        error |= replay_file(name);
        free(name);
        free(entries[i]);
    }
    free(entries);
    return error;
}

int main(int argc, char **argv)
{
    int error = 0;
    for (int i = 1; i < argc; i++) error |= replay(argv[i]);
    printf("%d replayed\n", replayed);
    return error == 0 && replayed > 0 ? 0 : 1;
}
