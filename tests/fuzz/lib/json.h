/* json.h - whether a text is what RFC 8259 calls a JSON text, in UTF-8 as RFC 3629 has it. */
#ifndef FUZZ_JSON_H
#define FUZZ_JSON_H

#include <stdbool.h>
#include <stddef.h>

bool json_is_valid(const char *text, size_t size);

#endif
