/* Rank and select on the bit vectors of a name table (see trie.h). Every index is compared with what
 * is there: a damaged file gives wrong numbers, never a read outside of it. */
#ifndef FILTERD_BITS_H
#define FILTERD_BITS_H

#include "trie.h"

enum { BLOCK = 512 };

static inline int bits_get(const bits *of, uint32_t at) {
    return at < of->size && of->words[at / 64] >> (at % 64) & 1;
}

/* Ones in a block before its word `word` (1 to 7): seven numbers packed into two words. */
static inline uint32_t bits_before(const uint32_t *block, unsigned word) {
    switch (word) {
        case 1: return block[1] & 0x7F;
        case 2: return block[1] >> 7 & 0xFF;
        case 3: return block[1] >> 15 & 0xFF;
        case 4: return block[1] >> 23 & 0x1FF;
        case 5: return block[2] & 0x1FF;
        case 6: return block[2] >> 9 & 0x1FF;
        case 7: return block[2] >> 18 & 0x1FF;
        default: return 0;
    }
}

/* Ones before position `at`. */
static inline uint32_t bits_rank(const bits *of, uint32_t at) {
    if (at >= of->size) return 0;
    const uint32_t *block = of->blocks + at / BLOCK * 3;
    uint64_t below = of->words[at / 64] & ((1ull << (at % 64)) - 1);
    return block[0] + bits_before(block, at / 64 % 8) + __builtin_popcountll(below);
}

static inline unsigned bits_nth(uint64_t word, unsigned n) {
    unsigned at = 0;
    for (unsigned ones; n >= (ones = __builtin_popcount(word & 0xFFFF)); at += 16, word >>= 16) {
        n -= ones;
        if (at == 48) return 63;
    }
    while (n--) word &= word - 1;
    return at + __builtin_ctzll(word | 1ull << 63);
}

/* Where the n-th (from 0) bit stands that is 1, or 0 with `zero`; the size when there is none. */
static inline uint32_t bits_select(const bits *of, uint32_t n, int zero) {
    const uint32_t *marks = zero ? of->zeros : of->ones;
    uint32_t mark_count = zero ? of->zero_count : of->one_count;
    if (n / BLOCK + 1 >= mark_count) return of->size;
    uint32_t low = marks[n / BLOCK] / BLOCK, high = (marks[n / BLOCK + 1] + BLOCK - 1) / BLOCK;
    if (high >= of->block_count || low >= high) return of->size;
    while (low + 1 < high) {
        uint32_t middle = low + (high - low) / 2, ones = of->blocks[middle * 3];
        if (n < (zero ? middle * BLOCK - ones : ones)) high = middle;
        else low = middle;
    }
    const uint32_t *block = of->blocks + low * 3;
    n -= zero ? low * BLOCK - block[0] : block[0];
    unsigned word = 0;
    for (unsigned step = 4; step; step /= 2) {
        uint32_t ones = bits_before(block, word + step);
        if (n >= (zero ? (word + step) * 64 - ones : ones)) word += step;
    }
    uint32_t ones = bits_before(block, word), at = low * 8 + word;
    if (at >= of->word_count) return of->size;
    n -= zero ? word * 64 - ones : ones;
    return n > 63 ? of->size : at * 64 + bits_nth(zero ? ~of->words[at] : of->words[at], n);
}

#endif
