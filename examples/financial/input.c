/* input.c - reading the day's business from a file. */
#include "input.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char heading[] = "time,id,kind,party,amount";

enum field { TIME, ID, KIND, PARTY, AMOUNT, FIELDS };
enum { SHOWN_BYTES = 40 };    /* of a bad field, in a complaint */

/* ---- complaints ------------------------------------------------------------------------ */

/* Writes `the WHAT "FIELD" PROBLEM` into why, the field cut and made printable.  Returns false. */
static bool complain(char *why, const char *what, const char *field, const char *problem)
{
    char shown[SHOWN_BYTES + 1];
    size_t length = strnlen(field, SHOWN_BYTES);
    for (size_t i = 0; i < length; i++) {
        shown[i] = isprint((unsigned char)field[i]) ? field[i] : '?';
    }
    shown[length] = '\0';
    snprintf(why, INPUT_WHY_BYTES, "the %s \"%s%s\" %s", what, shown,
             field[length] == '\0' ? "" : "...", problem);
    return false;
}

static bool complain_missing(char *why, const char *what)
{
    snprintf(why, INPUT_WHY_BYTES, "the %s is missing", what);
    return false;
}

/* ---- the fields ------------------------------------------------------------------------ */

static bool parse_two_digits(const char *text, int limit, int *ret_value)
{
    if (!isdigit((unsigned char)text[0]) || !isdigit((unsigned char)text[1])) return false;
    int value = (text[0] - '0') * 10 + (text[1] - '0');
    if (value >= limit) return false;
    *ret_value = value;
    return true;
}

static bool parse_time(const char *text, struct request *request, char *why)
{
    int hour, minute, second;
    if (strlen(text) != 8 || text[2] != ':' || text[5] != ':' ||
        !parse_two_digits(text, 24, &hour) || !parse_two_digits(text + 3, 60, &minute) ||
        !parse_two_digits(text + 6, 60, &second)) {
        return complain(why, "time", text, "is not HH:MM:SS");
    }
    request->second = hour * 3600 + minute * 60 + second;
    return true;
}

static bool parse_id(const char *text, struct request *request, char *why)
{
    if (text[0] == '\0') return complain_missing(why, "id");
    if (strlen(text) >= sizeof request->id) return complain(why, "id", text, "is too long");
    for (const char *c = text; *c != '\0'; c++) {
        if (!isgraph((unsigned char)*c)) {
            return complain(why, "id", text, "has other characters than letters, digits and "
                            "punctuation");
        }
    }
    memcpy(request->id, text, strlen(text) + 1);
    return true;
}

static bool parse_kind(const char *text, struct request *request, char *why)
{
    for (int kind = 0; kind < REQUEST_KINDS; kind++) {
        if (strcmp(text, request_kind_name((enum request_kind)kind)) != 0) continue;
        request->kind = (enum request_kind)kind;
        return true;
    }
    return complain(why, "kind", text, "is neither invoice nor donation");
}

static bool parse_party(const char *text, struct request *request, char *why)
{
    if (text[0] == '\0') return complain_missing(why, "party");
    if (strlen(text) >= sizeof request->party) return complain(why, "party", text, "is too long");
    for (const char *c = text; *c != '\0'; c++) {
        if (iscntrl((unsigned char)*c)) {
            return complain(why, "party", text, "has a control character");
        }
    }
    memcpy(request->party, text, strlen(text) + 1);
    return true;
}

/* 12, 12.5 or 12.50, in cents; no sign, no thousands separator. */
static bool parse_amount(const char *text, struct request *request, char *why)
{
    if (text[0] == '\0') return complain_missing(why, "amount");
    const char *c = text;
    int64_t cents = 0;
    int decimals = 0;
    for (; isdigit((unsigned char)*c) && cents <= REQUEST_CENTS_MAX; c++) {
        cents = cents * 10 + (*c - '0');
    }
    bool digits = c > text;
    if (*c == '.') {
        for (c++; isdigit((unsigned char)*c) && decimals < 2; c++, decimals++) {
            cents = cents * 10 + (*c - '0');
        }
        digits = digits && decimals > 0;
    }
    for (; decimals < 2; decimals++) cents *= 10;

    if (cents > REQUEST_CENTS_MAX) return complain(why, "amount", text, "is too large");
    if (!digits || *c != '\0') {
        return complain(why, "amount", text, "is not written like 1250.00");
    }
    if (cents == 0) return complain(why, "amount", text, "is not more than zero");
    request->cents = cents;
    return true;
}

/* ---- a line ---------------------------------------------------------------------------- */

/* Cuts the line at its commas; returns how many fields it has. */
static size_t split(char *line, char *fields[FIELDS])
{
    size_t count = 0;
    for (char *rest = line; rest != NULL; count++) {
        char *field = strsep(&rest, ",");
        if (count < FIELDS) fields[count] = field;
    }
    return count;
}

bool input_parse_line(char *line, size_t length, struct request *ret_request,
                      char why[INPUT_WHY_BYTES])
{
    if (memchr(line, '\0', length) != NULL) {
        snprintf(why, INPUT_WHY_BYTES, "a NUL byte in the line");
        return false;
    }

    char *fields[FIELDS];
    size_t count = split(line, fields);
    if (count != FIELDS) {
        snprintf(why, INPUT_WHY_BYTES, "%zu field%s instead of %d (%s)", count,
                 count == 1 ? "" : "s", FIELDS, heading);
        return false;
    }
    struct request request = { .cents = 0 };
    if (!parse_time(fields[TIME], &request, why) || !parse_id(fields[ID], &request, why) ||
        !parse_kind(fields[KIND], &request, why) || !parse_party(fields[PARTY], &request, why) ||
        !parse_amount(fields[AMOUNT], &request, why)) {
        return false;
    }
    assert(request.cents > 0 && request.cents <= REQUEST_CENTS_MAX);
    *ret_request = request;
    return true;
}

/* ---- the ids that were there already --------------------------------------------------- */

/* A hash table of places in the request array, plus one; 0 is free.  Linear probing, at most
 * half full. */
struct seen {
    size_t *slots;
    size_t *lines;       /* of each request, its line in the file */
    size_t room;         /* a power of two */
};

static size_t *find_slot(const struct seen *seen, const struct input *input, const char *id)
{
    size_t hash = 14695981039346656037u;                  /* FNV-1a */
    for (const char *c = id; *c != '\0'; c++) hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    for (size_t i = hash;; i++) {
        size_t *slot = &seen->slots[i & (seen->room - 1)];
        if (*slot == 0 || strcmp(input->requests[*slot - 1].id, id) == 0) return slot;
    }
}

/* Makes room for one request more.  Returns 0 or ENOMEM, with everything as it was. */
static int grow(struct seen *seen, struct input *input)
{
    if (2 * (input->count + 1) <= seen->room) return 0;
    size_t room = seen->room == 0 ? 1024 : 2 * seen->room;

    struct request *requests = realloc(input->requests, room / 2 * sizeof *requests);
    if (requests == NULL) return ENOMEM;
    input->requests = requests;
    size_t *lines = realloc(seen->lines, room / 2 * sizeof *lines);
    if (lines == NULL) return ENOMEM;
    seen->lines = lines;
    size_t *slots = calloc(room, sizeof *slots);
    if (slots == NULL) return ENOMEM;

    free(seen->slots);
    seen->slots = slots;
    seen->room = room;
    for (size_t i = 0; i < input->count; i++) *find_slot(seen, input, requests[i].id) = i + 1;
    return 0;
}

/* ---- the file -------------------------------------------------------------------------- */

/* Adds a line's request, or says in why what is wrong with it.  *ret_good tells which. */
static int add_line(struct input *input, struct seen *seen, char *line, size_t length,
                    size_t number, bool *ret_good, char *why)
{
    struct request request;
    *ret_good = input_parse_line(line, length, &request, why);
    if (!*ret_good) return 0;
    if (input->count == REQUESTS_MAX) return EFBIG;
    int error = grow(seen, input);
    if (error != 0) return error;

    size_t *slot = find_slot(seen, input, request.id);
    if (*slot != 0) {
        snprintf(why, INPUT_WHY_BYTES, "the id \"%s\" was in line %zu already", request.id,
                 seen->lines[*slot - 1]);
        *ret_good = false;
        return 0;
    }
    seen->lines[input->count] = number;
    input->requests[input->count++] = request;
    *slot = input->count;
    input->lines[request.kind]++;
    input->cents[request.kind] += request.cents;
    return 0;
}

/* Takes the newline off, and of the first line the mark that some programs put before UTF-8. */
static size_t trim(char *line, size_t length, size_t number)
{
    static const char mark[] = "\xEF\xBB\xBF";
    if (length > 0 && line[length - 1] == '\n') line[--length] = '\0';
    if (length > 0 && line[length - 1] == '\r') line[--length] = '\0';
    if (number == 1 && length >= 3 && memcmp(line, mark, 3) == 0) {
        length -= 3;
        memmove(line, line + 3, length + 1);
    }
    return length;
}

static int read_lines(FILE *file, const char *path, FILE *complaints, struct input *input,
                      struct seen *seen)
{
    char *line = NULL;
    size_t room = 0;
    int error = 0;
    for (size_t number = 1; error == 0; number++) {
        errno = 0;
        ssize_t got = getline(&line, &room, file);
        if (got < 0) {
            error = ferror(file) || errno == ENOMEM ? errno : 0;
            break;
        }
        size_t length = trim(line, (size_t)got, number);
        if (length == 0 || (number == 1 && strcmp(line, heading) == 0)) continue;

        bool good = false;
        char why[INPUT_WHY_BYTES];
        error = add_line(input, seen, line, length, number, &good, why);
        if (error == 0 && !good) {
            input->bad++;
            fprintf(complaints, "%s:%zu: %s\n", path, number, why);
        }
    }
    free(line);
    return error;
}

int input_read(const char *path, FILE *complaints, struct input *ret_input)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) return errno;

    struct input input = { .requests = NULL };
    struct seen seen = { .slots = NULL };
    int error = read_lines(file, path, complaints, &input, &seen);
    free(seen.slots);
    free(seen.lines);
    fclose(file);
    if (error != 0) {
        input_free(&input);
        return error;
    }
    *ret_input = input;
    return 0;
}

void input_free(struct input *input)
{
    free(input->requests);
    *input = (struct input){ .requests = NULL };
}
