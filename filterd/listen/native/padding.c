/* See padding.h. */
#include "padding.h"

#include <string.h>

enum { HEADER = 12, FIXED = 10, OPT_LENGTH = 9 };

static unsigned get16(const uint8_t *at) { return at[0] << 8 | at[1]; }

static void put16(uint8_t *at, unsigned value) { at[0] = value >> 8, at[1] = value; }

/* Behind a name, which may end in a pointer; behind everything when it does not end. */
static size_t name_end(const uint8_t *octets, size_t size, size_t at) {
    while (at < size) {
        uint8_t length = octets[at];
        if (length >= 0xC0) return at + 2;
        at += length + 1;
        if (!length) return at;
    }
    return size + 1;
}

/* Where the OPT begins with which a message of one question ends; 0: it does not. */
static size_t last_opt(const uint8_t *response, size_t size) {
    static const uint8_t root_opt[3] = {0, 0, 41};
    if (size < HEADER || get16(response + 4) != 1) return 0;
    unsigned records = get16(response + 6) + get16(response + 8) + get16(response + 10);
    size_t start = 0, at = name_end(response, size, HEADER) + 4;
    for (unsigned left = records; left; left--) {
        start = at;
        at = name_end(response, size, at) + FIXED;
        if (at > size) return 0;
        at += get16(response + at - 2);
    }
    return records && at == size && !memcmp(response + start, root_opt, 3) ? start : 0;
}

size_t padding_fill(uint8_t *response, size_t size) {
    size_t at = last_opt(response, size);
    size_t filled = (size + 4 + PADDING_BLOCK - 1) / PADDING_BLOCK * PADDING_BLOCK;
    if (!at || filled > UINT16_MAX) return size;
    put16(response + at + OPT_LENGTH, get16(response + at + OPT_LENGTH) + filled - size);
    put16(response + size, PADDING_CODE);
    put16(response + size + 2, filled - size - 4);
    memset(response + size + 4, 0, filled - size - 4);
    return filled;
}
