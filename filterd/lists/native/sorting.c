/* Sorting millions of keys with long equal beginnings: quicksort by eight octets at a time. */
#include "columns.h"

enum { FEW = 12 };

static uint64_t eight_at(const key *one, uint32_t depth) {
    uint64_t found = 0;
    uint32_t left = one->size > depth ? one->size - depth : 0;
    if (left >= 8) {
        memcpy(&found, one->at + depth, 8);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        found = __builtin_bswap64(found);
#endif
        return found;
    }
    for (uint32_t at = 0; at < left; at++) found |= (uint64_t)one->at[depth + at] << (56 - 8 * at);
    return found;
}

static int before(const key *one, const key *other, uint32_t depth) {
    if (one->eight != other->eight) return one->eight < other->eight;
    uint32_t size = one->size < other->size ? one->size : other->size;
    int order = size > depth ? memcmp(one->at + depth, other->at + depth, size - depth) : 0;
    return order ? order < 0 : one->size < other->size;
}

static void sort_few(key *keys, size_t count, uint32_t depth) {
    for (size_t at = 1; at < count; at++) {
        key moved = keys[at];
        size_t to = at;
        for (; to && before(&moved, keys + to - 1, depth); to--) keys[to] = keys[to - 1];
        keys[to] = moved;
    }
}

static void swap(key *one, key *other) {
    key kept = *one;
    *one = *other;
    *other = kept;
}

/* The pivot is drawn by chance, so that no list can be written that is slow to sort. */
static uint64_t drawn(uint64_t *chance, const key *keys, size_t count) {
    uint64_t value = *chance;
    value ^= value << 13;
    value ^= value >> 7;
    value ^= value << 17;
    *chance = value;
    return keys[value % count].eight;
}

static void sort(key *keys, size_t count, uint32_t depth, uint64_t *chance) {
    while (count > FEW) {
        uint64_t pivot = drawn(chance, keys, count);
        size_t low = 0, at = 0, high = count;
        while (at < high) {
            if (keys[at].eight < pivot) {
                swap(keys + low++, keys + at++);
            } else if (keys[at].eight > pivot) {
                swap(keys + at, keys + --high);
            } else {
                at++;
            }
        }
        sort(keys, low, depth, chance);
        sort(keys + high, count - high, depth, chance);
        if (!(pivot & 0xFF)) return; /* they end here, so they are the same */
        keys += low;
        count = high - low;
        depth += 8;
        for (at = 0; at < count; at++) keys[at].eight = eight_at(keys + at, depth);
    }
    sort_few(keys, count, depth);
}

void keys_sort(key *keys, size_t count) {
    uint64_t chance = (uintptr_t)keys | 1;
    for (size_t at = 0; at < count; at++) keys[at].eight = eight_at(keys + at, 0);
    sort(keys, count, 0, &chance);
}
