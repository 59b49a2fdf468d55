/* json.c - see json.h.  Written from the grammars of the two RFCs; shares nothing with the library,
 * whose output it judges. */
#include "json.h"

#include <stdint.h>
#include <string.h>

enum { DEPTH_MAX = 100 };

struct reader {
    const unsigned char *at, *end;
    int depth;
};

static bool value(struct reader *reader);

static int peek(const struct reader *reader)
{
    return reader->at < reader->end ? *reader->at : -1;
}

static bool take(struct reader *reader, int byte)
{
    if (peek(reader) != byte) return false;
    reader->at++;
    return true;
}

static void skip_blanks(struct reader *reader)
{
    while (peek(reader) == ' ' || peek(reader) == '\t' || peek(reader) == '\n' ||
           peek(reader) == '\r')
        reader->at++;
}

/* ---- strings --------------------------------------------------------------------------- */

/* Four hexadecimal digits. */
static bool unit(struct reader *reader, unsigned *ret_unit)
{
    *ret_unit = 0;
    for (int i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdef";
        int byte = peek(reader);
        if (byte >= 'A' && byte <= 'F') byte += 'a' - 'A';
        const char *digit = byte <= 0 ? NULL : strchr(digits, byte);
        if (digit == NULL) return false;
        *ret_unit = *ret_unit * 16 + (unsigned)(digit - digits);
        reader->at++;
    }
    return true;
}

/* Behind a backslash.  A surrogate must have its other half. */
static bool escape(struct reader *reader)
{
    int byte = peek(reader);
    unsigned first, second;
    if (byte <= 0) return false;
    reader->at++;
    if (byte != 'u') return strchr("\"\\/bfnrt", byte) != NULL;
    if (!unit(reader, &first)) return false;
    if (first < 0xd800 || first > 0xdfff) return true;
    return first < 0xdc00 && take(reader, '\\') && take(reader, 'u') && unit(reader, &second) &&
           second >= 0xdc00 && second <= 0xdfff;
}

/* One character of UTF-8: decoded, and neither longer than need be nor a surrogate. */
static bool character(struct reader *reader)
{
    static const struct { unsigned char mask, lead; uint32_t least; } forms[] = {
        { 0x80, 0x00, 0 }, { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 },
    };
    unsigned first = *reader->at++;
    for (int more = 0; more < 4; more++) {
        if ((first & forms[more].mask) != forms[more].lead) continue;
        uint32_t point = first & (unsigned char)~forms[more].mask;
        for (int i = 0; i < more; i++) {
            if (reader->at == reader->end || (*reader->at & 0xc0) != 0x80) return false;
            point = point << 6 | (*reader->at++ & 0x3f);
        }
        return point >= forms[more].least && point <= 0x10ffff &&
               (point < 0xd800 || point > 0xdfff);
    }
    return false;
}

static bool string(struct reader *reader)
{
    if (!take(reader, '"')) return false;
    while (!take(reader, '"')) {
        if (peek(reader) < 0x20) return false;      /* the end, or a control character */
        if (take(reader, '\\') ? !escape(reader) : !character(reader)) return false;
    }
    return true;
}

/* ---- the rest -------------------------------------------------------------------------- */

static bool digits(struct reader *reader)
{
    const unsigned char *begin = reader->at;
    while (peek(reader) >= '0' && peek(reader) <= '9') reader->at++;
    return reader->at > begin;
}

static bool number(struct reader *reader)
{
    take(reader, '-');
    if (!take(reader, '0') && !digits(reader)) return false;
    if (take(reader, '.') && !digits(reader)) return false;
    if (take(reader, 'e') || take(reader, 'E')) {
        if (!take(reader, '+')) take(reader, '-');
        return digits(reader);
    }
    return true;
}

static bool word(struct reader *reader, const char *text)
{
    size_t length = strlen(text);
    if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, text, length) != 0)
        return false;
    reader->at += length;
    return true;
}

static bool member(struct reader *reader)
{
    skip_blanks(reader);
    if (!string(reader)) return false;
    skip_blanks(reader);
    return take(reader, ':') && value(reader);
}

/* An object or an array: what is between the brackets. */
static bool items(struct reader *reader, int closing, bool (*item)(struct reader *))
{
    skip_blanks(reader);
    if (take(reader, closing)) return true;
    do {
        if (!item(reader)) return false;
        skip_blanks(reader);
    } while (take(reader, ','));
    return take(reader, closing);
}

static bool value(struct reader *reader)
{
    bool valid = false;
    skip_blanks(reader);
    if (++reader->depth > DEPTH_MAX) return false;
    switch (peek(reader)) {
    case '{': reader->at++; valid = items(reader, '}', member); break;
    case '[': reader->at++; valid = items(reader, ']', value); break;
    case '"': valid = string(reader); break;
    case 't': valid = word(reader, "true"); break;
    case 'f': valid = word(reader, "false"); break;
    case 'n': valid = word(reader, "null"); break;
    default: valid = number(reader); break;
    }
    reader->depth--;
    return valid;
}

bool json_is_valid(const char *text, size_t size)
{
    const unsigned char *begin = (const unsigned char *)text;
    struct reader reader = { begin, begin + size, 0 };
    if (!value(&reader)) return false;
    skip_blanks(&reader);
    return reader.at == reader.end;
}
