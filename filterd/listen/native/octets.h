/* Numbers and names on the wire: network order (RFC 1035 §2.3.2, §4.1.4). */
#ifndef FILTERD_OCTETS_H
#define FILTERD_OCTETS_H

#include <stddef.h>
#include <stdint.h>

static inline unsigned get16(const uint8_t *at) { return (unsigned)at[0] << 8 | at[1]; }

static inline uint32_t get32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

static inline void put16(uint8_t *at, unsigned value) { at[0] = value >> 8, at[1] = value; }

static inline void put32(uint8_t *at, uint32_t value) {
    at[0] = value >> 24, at[1] = value >> 16, at[2] = value >> 8, at[3] = value;
}

/* Offset behind a name, compressed or not; `size` when it leaves the message. */
static inline size_t behind_name(const uint8_t *wire, size_t size, size_t at) {
    while (at < size) {
        if (!wire[at]) return at + 1;
        if (wire[at] >= 0xC0) return at + 2;
        at += wire[at] + 1;
    }
    return size;
}

#endif
