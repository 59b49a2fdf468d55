/* bytes.h - decisions taken from bytes, one after the other; behind their end all are 0. */
#ifndef FUZZ_BYTES_H
#define FUZZ_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *at, *end;
};

static inline size_t bytes_left(const struct bytes *bytes)
{
    return (size_t)(bytes->end - bytes->at);
}

static inline uint8_t bytes_take(struct bytes *bytes)
{
    return bytes->at == bytes->end ? 0 : *bytes->at++;
}

/* Of up to 8 bytes, the low ones first. */
static inline uint64_t bytes_number(struct bytes *bytes, int size)
{
    uint64_t number = 0;
    for (int i = 0; i < size; i++) number |= (uint64_t)bytes_take(bytes) << 8 * i;
    return number;
}

/* A text as long as the first byte says and as there is room for; it may be empty. */
static inline const char *bytes_text(struct bytes *bytes, char *buffer, size_t size)
{
    size_t length = bytes_take(bytes);
    if (length > bytes_left(bytes)) length = bytes_left(bytes);
    size_t kept = length < size - 1 ? length : size - 1;
    memcpy(buffer, bytes->at, kept);
    buffer[kept] = '\0';
    bytes->at += length;
    return buffer;
}

#endif
