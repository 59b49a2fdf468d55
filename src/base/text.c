/* text.c - see text.h. */
#include "text.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct text copi_text(char *buffer, size_t size)
{
    if (size > 0)
        buffer[0] = '\0';
    return (struct text){ buffer, size, 0 };
}

void copi_text_add(struct text *text, const char *format, ...)
{
    size_t at = (size_t)text->length < text->size ? (size_t)text->length : text->size;
    va_list arguments;
    va_start(arguments, format);
    int more = vsnprintf(text->size == 0 ? NULL : text->buffer + at, text->size - at, format,
                         arguments);
    va_end(arguments);
    if (more > 0)
        text->length += more;
}

/* ---- JSON ------------------------------------------------------------------------------ */

static void add_bytes(struct text *text, const char *bytes, size_t count)
{
    copi_text_add(text, "%.*s", (int)count, bytes);
}

/* The length of the UTF-8 character that begins here, or 0 if none does (RFC 3629: no overlong
 * form, no surrogate, nothing above U+10FFFF).  Reads no further than the NUL. */
static size_t character(const unsigned char *at)
{
    unsigned char first = at[0], low = 0x80, high = 0xbf;
    size_t length = first < 0x80                    ? 1
                    : first >= 0xc2 && first < 0xe0 ? 2
                    : first >= 0xe0 && first < 0xf0 ? 3
                    : first >= 0xf0 && first < 0xf5 ? 4
                                                    : 0;
    if (first == 0xe0) low = 0xa0;
    if (first == 0xed) high = 0x9f;
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f;
    for (size_t i = 1; i < length; i++) {
        if (at[i] < low || at[i] > high)
            return 0;
        low = 0x80;
        high = 0xbf;
    }
    return length;
}

static void add_escape(struct text *text, unsigned char byte)
{
    switch (byte) {
    case '"': copi_text_add(text, "\\\""); break;
    case '\\': copi_text_add(text, "\\\\"); break;
    case '\n': copi_text_add(text, "\\n"); break;
    case '\t': copi_text_add(text, "\\t"); break;
    case '\r': copi_text_add(text, "\\r"); break;
    default: copi_text_add(text, "\\u%04x", byte < 0x80 ? byte : 0xfffdu); break;
    }
}

static bool is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7f;
}

void copi_text_add_escaped(struct text *text, const char *string)
{
    const unsigned char *at = (const unsigned char *)string;
    while (*at != '\0') {
        const unsigned char *end = at;
        for (size_t more; *end != '\0' && is_plain(*end) && (more = character(end)) > 0;)
            end += more;
        add_bytes(text, (const char *)at, (size_t)(end - at));
        if (*end != '\0')
            add_escape(text, *end++);
        at = end;
    }
}

void copi_text_add_json(struct text *text, const char *string)
{
    if (string == NULL) {
        copi_text_add(text, "null");
        return;
    }
    copi_text_add(text, "\"");
    copi_text_add_escaped(text, string);
    copi_text_add(text, "\"");
}
