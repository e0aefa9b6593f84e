/* One linear scan; every read is behind a comparison with `size`. Contract in refusal.h. */
#include "refusal.h"

#include <string.h>

#include "octets.h"

enum { HEADER = 12, FORMERR = 1, NOTIMP = 4, OPT = 41, COOKIE = 10 };
enum { MOST_ADDITIONAL = 16, MOST_OPTIONS = 64 };

/* Offset behind the question's name, which may not be compressed; 0: malformed. */
static size_t name_end(const uint8_t *wire, size_t size) {
    size_t at = HEADER;
    while (at < size) {
        unsigned length = wire[at];
        at += length + 1;
        if (!length) return at - HEADER > 255 ? 0 : at;
        if (length > 63) return 0;
    }
    return 0;
}

/* Offset behind a record's owner, which may end in a pointer to an earlier place; 0: malformed. */
static size_t owner_end(const uint8_t *wire, size_t start, size_t size) {
    size_t at = start;
    while (at < size) {
        unsigned length = wire[at];
        if (length >= 0xC0)
            return at + 1 >= size || (get16(wire + at) & 0x3FFF) >= start ? 0 : at + 2;
        if (length > 63 || at - start > 255) return 0;
        at += length + 1;
        if (!length) return at;
    }
    return 0;
}

/* Whether the options in wire[at:end] fit, at most 64, with a first COOKIE of a possible length. */
static int options_fit(const uint8_t *wire, size_t at, size_t end) {
    int cookies = 0;
    if (at == end) return 1;
    for (int count = 0; count < MOST_OPTIONS; count++) {
        if (at + 4 > end) return 0;
        unsigned code = get16(wire + at), length = get16(wire + at + 2);
        at += 4 + length;
        if (at > end) return 0;
        if (code == COOKIE && !cookies++ && length != 8 && (length < 16 || length > 40)) return 0;
        if (at == end) return 1;
    }
    return 0;
}

/* Whether wire[at:size] is exactly `count` records with at most one OPT, and that at the root. */
static int additional_fits(const uint8_t *wire, size_t at, size_t size, unsigned count) {
    int opts = 0;
    if (count > MOST_ADDITIONAL) return 0;
    while (count--) {
        size_t start = at, owner = owner_end(wire, at, size);
        if (!owner || owner + 10 > size) return 0;
        at = owner + 10 + get16(wire + owner + 8);
        if (at > size) return 0;
        if (get16(wire + owner) != OPT) continue;
        if (opts++ || wire[start] || !options_fit(wire, owner + 10, at)) return 0;
    }
    return at == size;
}

int refusal_of(const uint8_t *wire, size_t size) {
    static const uint8_t one_question[6] = {0, 1, 0, 0, 0, 0};
    if (size < HEADER || wire[2] & 0x80) return SILENT;
    if (wire[2] & 0x78) return NOTIMP;
    if (memcmp(wire + 4, one_question, sizeof one_question)) return FORMERR;
    size_t end = name_end(wire, size);
    if (!end || end + 4 > size) return FORMERR;
    return additional_fits(wire, end + 4, size, get16(wire + 10)) ? READABLE : FORMERR;
}

void refusal_write(const uint8_t *wire, int rcode, uint8_t *out) {
    memset(out, 0, REFUSAL_SIZE);
    memcpy(out, wire, 2);
    out[2] = 0x80 | (wire[2] & 0x78) | (wire[2] & 0x78 ? 0 : wire[2] & 1);
    out[3] = rcode;
}
