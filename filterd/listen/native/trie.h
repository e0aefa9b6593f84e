/* Reads the name tables of an index file where they lie in the map, without the library that wrote
 * them, so that a drain loop can ask without Python.
 *
 * The format is that of marisa-trie 0.2 and 0.3 (little endian, 64-bit words): a LOUDS tree whose
 * edges are one octet or a link into the next, smaller tree, and the last links into a text.
 * filterd.lists.index reads the same tables through the library and is the specification.
 */
#ifndef FILTERD_TRIE_H
#define FILTERD_TRIE_H

#include <stddef.h>
#include <stdint.h>

enum { TRIE_LEVELS = 8, TRIE_FOUND = 8 };

/* A bit vector: 512 bits a block, with the ones before each block and inside it. */
typedef struct {
    const uint64_t *words;
    const uint32_t *blocks; /* three words a block: ones before it, packed ones inside it */
    const uint32_t *zeros, *ones; /* where every 512th 0 and 1 stands */
    uint32_t size, word_count, block_count, zero_count, one_count;
} bits;

typedef struct level {
    bits shape, ends, linked, text_ends;
    const uint8_t *labels, *text;
    const uint64_t *high; /* upper bits of links, `high_width` bits each */
    const uint32_t *cache; /* (parent, child, link) of the heaviest edges */
    uint32_t label_count, text_size, high_words, high_width, high_count, cache_mask, first_nodes;
    struct level *next;
} level;

typedef struct {
    level levels[TRIE_LEVELS];
    unsigned level_count;
} trie;

/* A stored key: its number, and how many octets of the text it is. */
typedef struct {
    uint32_t id;
    uint16_t size;
} trie_key;

/* 0 when these octets are no such table. They must outlive it and begin at a multiple of 8. */
int trie_open(trie *self, const uint8_t *bytes, size_t size);

/* All stored keys that `text` begins with, shortest first; how many, or -1: more than TRIE_FOUND, or
 * the table is damaged. Every text with the same first `looked` octets gives the same. */
int trie_prefixes(const trie *self, const uint8_t *text, size_t size, trie_key *found,
                  size_t *looked);

#endif
