/* See padding.h. */
#include "padding.h"

#include <string.h>

#include "octets.h"

enum { HEADER = 12, FIXED = 10, OPT_LENGTH = 9 };

/* Where the OPT begins with which a message of one question ends; 0: it does not. */
static size_t last_opt(const uint8_t *response, size_t size) {
    static const uint8_t root_opt[3] = {0, 0, 41};
    if (size < HEADER || get16(response + 4) != 1) return 0;
    unsigned records = get16(response + 6) + get16(response + 8) + get16(response + 10);
    size_t start = 0, at = behind_name(response, size, HEADER) + 4;
    for (unsigned left = records; left; left--) {
        start = at;
        at = behind_name(response, size, at) + FIXED;
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
