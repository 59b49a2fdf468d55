/* input.c - the bytes are a file of the financial example: it is read, and what was read is as the
 * example says. */
#include <stdio.h>
#include <stdlib.h>

#include "../../examples/financial/input.h"
#include "lib/fuzz.h"

/* A request says again what was read: the same request. */
static void check_request(const struct request *request)
{
    char line[256], clock[REQUEST_TEXT_BYTES], why[INPUT_WHY_BYTES] = "";
    struct request again;
    FUZZ_CHECK(request->cents > 0 && request->cents <= REQUEST_CENTS_MAX);
    FUZZ_CHECK(request->second >= 0 && request->second < 24 * 3600);
    FUZZ_CHECK(request->kind == INVOICE || request->kind == DONATION);
    FUZZ_CHECK(request->id[0] != '\0' && strlen(request->id) < sizeof request->id);
    FUZZ_CHECK(request->party[0] != '\0' && strlen(request->party) < sizeof request->party);
    int length = snprintf(line, sizeof line, "%s,%s,%s,%s,%lld.%02d",
                          format_clock(request->second, clock), request->id,
                          request_kind_name(request->kind), request->party,
                          (long long)(request->cents / 100), (int)(request->cents % 100));
    FUZZ_CHECK(length > 0 && length < (int)sizeof line);
    FUZZ_CHECK(input_parse_line(line, (size_t)length, &again, why));
    FUZZ_CHECK(strcmp(again.id, request->id) == 0 && strcmp(again.party, request->party) == 0);
    FUZZ_CHECK(again.cents == request->cents && again.second == request->second);
    FUZZ_CHECK(again.kind == request->kind);
}

static void check_input(const struct input *input)
{
    size_t lines[REQUEST_KINDS] = { 0 };
    int64_t cents[REQUEST_KINDS] = { 0 };
    for (size_t i = 0; i < input->count; i++) {
        const struct request *request = &input->requests[i];
        check_request(request);
        lines[request->kind]++;
        cents[request->kind] += request->cents;
        for (size_t j = 0; j < i && i < 100; j++)
            FUZZ_CHECK(strcmp(input->requests[j].id, request->id) != 0);
    }
    for (int kind = 0; kind < REQUEST_KINDS; kind++)
        FUZZ_CHECK(lines[kind] == input->lines[kind] && cents[kind] == input->cents[kind]);
}

/* Each complaint is one line that begins with the file's name. */
static void check_complaints(const char *text, const char *path, size_t bad)
{
    size_t lines = 0, length = strlen(path);
    for (const char *end; *text != '\0'; text = end + 1, lines++) {
        end = strchr(text, '\n');
        FUZZ_CHECK(end != NULL && strncmp(text, path, length) == 0 && text[length] == ':');
    }
    FUZZ_CHECK(lines == bad);
}

void fuzz_one(struct bytes *bytes)
{
    char *said = NULL;
    size_t size = 0;
    struct input input;
    const char *path = fuzz_file(bytes);
    FILE *complaints = open_memstream(&said, &size);
    FUZZ_CHECK(complaints != NULL);
    int error = input_read(path, complaints, &input);
    fclose(complaints);
    FUZZ_CHECK(error == 0);
    check_input(&input);
    check_complaints(said, path, input.bad);
    input_free(&input);
    free(said);
}
