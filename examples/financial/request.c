/* request.c - the texts of a request's parts. */
#include "request.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *request_kind_name(enum request_kind kind)
{
    return kind == INVOICE ? "invoice" : "donation";
}

char *format_clock(int32_t second, char *buffer)
{
    snprintf(buffer, REQUEST_TEXT_BYTES, "%02d:%02d:%02d", second / 3600 % 24, second / 60 % 60,
             second % 60);
    return buffer;
}

char *format_count(uint64_t count, char *buffer)
{
    char digits[REQUEST_TEXT_BYTES];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, count);
    char *to = buffer;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return buffer;
}

char *format_cents(int64_t cents, char *buffer)
{
    char whole[REQUEST_TEXT_BYTES];
    uint64_t magnitude = cents < 0 ? 0 - (uint64_t)cents : (uint64_t)cents;
    format_count(magnitude / 100, whole);
    snprintf(buffer, REQUEST_TEXT_BYTES, "%s%.26s.%02u", cents < 0 ? "-" : "", whole,
             (unsigned)(magnitude % 100));
    return buffer;
}
