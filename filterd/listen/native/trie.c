/* See trie.h. Nothing here trusts a number of the file further than the file reaches. */
#include "trie.h"

#include <string.h>

#include "bits.h"

enum { NO_HIGH = 0xFFFFFF, STEPS = 4096 };

/* --- opening ------------------------------------------------------------------------------ */

typedef struct {
    const uint8_t *at, *end;
    int bad;
} reader;

static const uint8_t *take(reader *from, uint64_t size) {
    const uint8_t *at = from->at;
    if (from->bad || size > (uint64_t)(from->end - at)) return from->bad = 1, NULL;
    from->at += size;
    return at;
}

static uint32_t take32(reader *from) {
    const uint8_t *at = take(from, 4);
    uint32_t value = 0;
    if (at) memcpy(&value, at, 4);
    return value;
}

static uint64_t take64(reader *from) {
    const uint8_t *at = take(from, 8);
    uint64_t value = 0;
    if (at) memcpy(&value, at, 8);
    return value;
}

/* An array: its size in octets, the items, padding to a multiple of 8. */
static const void *take_items(reader *from, size_t width, uint32_t *count) {
    uint64_t size = take64(from);
    const uint8_t *at = take(from, size);
    take(from, -size % 8);
    if (size % width || size / width > UINT32_MAX) from->bad = 1;
    *count = from->bad ? 0 : size / width;
    return at;
}

/* `marked`: whether ranks are asked of it; else only single bits. */
static void take_bits(reader *from, bits *to, int marked) {
    to->words = take_items(from, 8, &to->word_count);
    to->size = take32(from);
    take32(from); /* how many are 1 */
    to->blocks = take_items(from, 12, &to->block_count);
    to->zeros = take_items(from, 4, &to->zero_count);
    to->ones = take_items(from, 4, &to->one_count);
    if (to->size > (uint64_t)to->word_count * 64) from->bad = 1;
    if (marked && to->size > (uint64_t)to->block_count * BLOCK) from->bad = 1;
}

static int has_links(const level *one) {
    for (uint32_t at = 0; at < one->linked.word_count; at++)
        if (one->linked.words[at]) return 1;
    return 0;
}

static int take_level(reader *from, trie *self) {
    if (self->level_count == TRIE_LEVELS) return 0;
    level *one = &self->levels[self->level_count++];
    uint32_t cached;
    take_bits(from, &one->shape, 1);
    take_bits(from, &one->ends, one == self->levels);
    take_bits(from, &one->linked, 1);
    one->labels = take_items(from, 1, &one->label_count);
    one->high = take_items(from, 8, &one->high_words);
    one->high_width = take32(from);
    take32(from); /* the mask of that width */
    one->high_count = take64(from);
    one->text = take_items(from, 1, &one->text_size);
    take_bits(from, &one->text_ends, 0);
    if (from->bad || one->high_width > 24 ||
        (uint64_t)one->high_count * one->high_width > (uint64_t)one->high_words * 64)
        return 0;
    if (has_links(one) && !one->text_size) {
        one->next = one + 1;
        if (!take_level(from, self)) return 0;
    }
    one->cache = take_items(from, 12, &cached);
    one->first_nodes = take32(from);
    take32(from); /* how it was built */
    one->cache_mask = cached - 1;
    return !from->bad && cached && !(cached & one->cache_mask);
}

int trie_open(trie *self, const uint8_t *bytes, size_t size) {
    static const uint8_t magic[16] = "We love Marisa.";
    const union { uint32_t number; uint8_t first; } order = {1};
    reader from = {bytes, bytes + size, 0};
    memset(self, 0, sizeof *self);
    const uint8_t *head = take(&from, sizeof magic);
    return order.first && !((uintptr_t)bytes % 8) && head && !memcmp(head, magic, sizeof magic) &&
           take_level(&from, self);
}

/* --- walking ------------------------------------------------------------------------------ */

typedef struct {
    const uint8_t *text;
    uint32_t size, at, node;
    int steps; /* left: a damaged table must not be walked for ever */
} walk;

static int follows(const level *in, uint32_t link, walk *on);

static int is_next(walk *on, uint8_t octet) {
    if (on->at >= on->size || on->text[on->at] != octet) return 0;
    on->at++;
    return 1;
}

static uint32_t link_of(const level *in, uint32_t node, uint32_t number) {
    if (number >= in->high_count || node >= in->label_count) return 0;
    uint64_t from = (uint64_t)number * in->high_width, word = from / 64, shift = from % 64;
    uint64_t value = in->high_width ? in->high[word] >> shift : 0;
    if (shift + in->high_width > 64) value |= in->high[word + 1] << (64 - shift);
    return in->labels[node] | (uint32_t)(value & ((1ull << in->high_width) - 1)) << 8;
}

/* Whether the text goes on as the tail at `at` says, to its end. */
static int follows_text(const level *in, uint32_t at, walk *on) {
    for (; at < in->text_size; at++) {
        if (!in->text_ends.size && !in->text[at]) return 1;
        if (!is_next(on, in->text[at])) return 0;
        if (bits_get(&in->text_ends, at)) return 1;
    }
    return 0;
}

/* Whether the text goes on as the path from `node` up to the root says. */
static int follows_path(const level *in, uint32_t node, walk *on) {
    while (on->steps-- > 0) {
        const uint32_t *cached = in->cache + (size_t)(node & in->cache_mask) * 3;
        if (cached[1] == node) {
            if (cached[2] >> 8 != NO_HIGH ? !follows(in, cached[2], on) : !is_next(on, cached[2]))
                return 0;
            if (!(node = cached[0])) return 1;
            continue;
        }
        if (node >= in->label_count) return 0;
        if (bits_get(&in->linked, node)) {
            if (!follows(in, link_of(in, node, bits_rank(&in->linked, node)), on)) return 0;
        } else if (!is_next(on, in->labels[node])) {
            return 0;
        }
        if (node <= in->first_nodes) return 1;
        node = bits_select(&in->shape, node, 0) - node - 1;
    }
    return 0;
}

static int follows(const level *in, uint32_t link, walk *on) {
    return in->next ? follows_path(in->next, link, on) : follows_text(in, link, on);
}

/* Go to the child that the text leads to. */
static int descend(const level *in, walk *on) {
    uint32_t node = on->node, hash = (node ^ node << 5 ^ on->text[on->at]) & in->cache_mask;
    const uint32_t *cached = in->cache + (size_t)hash * 3;
    if (cached[0] == node) {
        on->node = cached[1];
        if (cached[2] >> 8 != NO_HIGH) return follows(in, cached[2], on);
        on->at++;
        return 1;
    }
    uint32_t place = bits_select(&in->shape, node, 1) + 1, number = UINT32_MAX;
    for (node = place - node - 1; bits_get(&in->shape, place); node++, place++) {
        if (node >= in->label_count || on->steps-- <= 0) return 0;
        on->node = node;
        if (!bits_get(&in->linked, node)) {
            if (is_next(on, in->labels[node])) return 1;
            continue;
        }
        uint32_t before = on->at;
        number = number == UINT32_MAX ? bits_rank(&in->linked, node) : number + 1;
        if (follows(in, link_of(in, node, number), on)) return 1;
        if (on->at != before) return 0; /* no other child begins like this */
    }
    return 0;
}

int trie_prefixes(const trie *self, const uint8_t *text, size_t size, trie_key *found,
                  size_t *looked) {
    const level *first = self->levels;
    walk on = {.text = text, .size = size, .steps = STEPS};
    int count = 0;
    *looked = size + 1;
    if (bits_get(&first->ends, 0)) return -1;
    while (on.at < on.size && descend(first, &on)) {
        if (!bits_get(&first->ends, on.node)) continue;
        if (count == TRIE_FOUND) return -1;
        found[count++] = (trie_key){bits_rank(&first->ends, on.node), on.at};
    }
    *looked = on.at + 1; /* the octet there led nowhere, or the text is at its end */
    return on.steps > 0 ? count : -1;
}
