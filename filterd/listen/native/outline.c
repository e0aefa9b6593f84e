/* See outline.h. */
#include "outline.h"

#include <stdlib.h>
#include <string.h>

#include "memo.h"

enum { LONGEST = 255 };

static uint64_t hash_of(const char *bytes, size_t size) {
    uint64_t hash = 0xcbf29ce484222325ull; /* FNV-1a: short texts, and nobody else chooses them */
    while (size--) hash = (hash ^ (uint8_t)*bytes++) * 0x100000001b3ull;
    hash ^= hash >> 29;
    return hash ? hash : 1;
}

static uint32_t mask_for(size_t count) {
    uint32_t room = 64;
    while (room < count * 2) room *= 2;
    return room - 1;
}

void outline_close(outline *self) {
    free(self->touched);
    free(self->pieces);
    free(self->parents);
    self->parents = NULL;
    self->touched = NULL;
    self->pieces = NULL;
}

int outline_reserve(outline *self, size_t names, size_t pieces) {
    self->touched_mask = mask_for(names);
    self->pieces_mask = pieces ? mask_for(pieces) : 0;
    self->touched = calloc((size_t)self->touched_mask + 1, sizeof *self->touched);
    self->pieces = pieces ? calloc((size_t)self->pieces_mask + 1, sizeof *self->pieces) : NULL;
    self->parents = calloc(OUTLINE_PARENTS, sizeof *self->parents);
    return self->touched && self->parents && (!pieces || self->pieces);
}

void outline_touch(outline *self, const char *name, size_t size) {
    uint64_t hash = hash_of(name, size);
    uint32_t at = hash & self->touched_mask;
    while (self->touched[at] && self->touched[at] != hash) at = (at + 1) & self->touched_mask;
    self->touched[at] = hash;
}

static int is_touched(const outline *self, const char *name, size_t size) {
    uint64_t hash = hash_of(name, size);
    uint32_t at = hash & self->touched_mask;
    while (self->touched[at] && self->touched[at] != hash) at = (at + 1) & self->touched_mask;
    return self->touched[at] != 0;
}

static uint32_t piece_of(const char *text, size_t size) {
    uint32_t piece = 0;
    memcpy(&piece, text, size);
    return piece;
}

static uint32_t *piece_place(const outline *self, uint32_t piece) {
    uint32_t at = (piece * 0x9e3779b1u >> 7) & self->pieces_mask;
    while (self->pieces[at] && self->pieces[at] != piece) at = (at + 1) & self->pieces_mask;
    return &self->pieces[at];
}

void outline_need(outline *self, const char *piece, size_t size) {
    uint32_t one = piece_of(piece, size);
    *piece_place(self, one) = one;
}

static int has_piece(const outline *self, const char *name, size_t size) {
    for (size_t at = 0; self->pieces && at + 3 <= size; at++) {
        if (*piece_place(self, piece_of(name + at, 3))) return 1;
        if (at + 4 <= size && *piece_place(self, piece_of(name + at, 4))) return 1;
    }
    return 0;
}

static int is_plain(uint8_t octet) {
    return (octet >= 'a' && octet <= 'z') || (octet >= '0' && octet <= '9') || octet == '-' ||
           octet == '_';
}

/* The name as text; 0 when it is the root or holds an octet that lists do not name. */
static size_t spell(const uint8_t *name, size_t size, char *text) {
    size_t at = 0, end = 0;
    while (at < size && name[at]) {
        size_t length = name[at++];
        if (length > 63 || at + length >= size) return 0;
        if (end) text[end++] = '.';
        for (; length; length--, at++) {
            if (!is_plain(name[at])) return 0;
            text[end++] = name[at];
        }
    }
    return end;
}

/* Whether it is or stands below a name that Python judges, or an expression may fit it. */
static int is_pythons(const outline *self, const char *text, size_t size) {
    static const char esni[] = "_esni."; /* policy.special_names: a label, not a place in the tree */
    if (size >= sizeof esni - 1 && !memcmp(text, esni, sizeof esni - 1)) return 1;
    for (size_t at = 0; at < size; at++)
        if ((!at || text[at - 1] == '.') && is_touched(self, text + at, size - at)) return 1;
    return has_piece(self, text, size);
}

int outline_leaves(const outline *self, const uint8_t *name, size_t size) {
    char text[LONGEST];
    size_t length = size > LONGEST ? 0 : spell(name, size, text);
    return length && !is_pythons(self, text, length);
}

static uint32_t set_of(const outline_half *half, uint32_t id) {
    if (id >= half->set_count) return 0;
    if (half->width == 1) return ((const uint8_t *)half->sets)[id];
    return half->width == 2 ? ((const uint16_t *)half->sets)[id] : ((const uint32_t *)half->sets)[id];
}

/* The outline of a key (the name backwards, a dot behind it); `looked` as of trie_prefixes. */
static int walk(const outline *self, const uint8_t *key, size_t size, uint8_t *out, size_t *looked) {
    trie_key found[TRIE_FOUND];
    int filled = 0;
    int second = memcmp(key, "moc.", 4) && memcmp(key, "ten.", 4) && memcmp(key, "gro.", 4);
    const outline_half *half = &self->halves[size < 4 ? 1 : second != 0];
    int count = trie_prefixes(&half->names, key, size, found, looked);
    for (int at = 0; at < count; at++) {
        uint32_t set = set_of(half, found[at].id);
        uint32_t said = set << 2 | (half == &self->halves[1]) << 1 | (found[at].size == size);
        if (!set) continue;
        memcpy(out + filled, &said, sizeof said);
        filled += sizeof said;
    }
    return count < 0 ? -1 : filled;
}

/* Octets of the key that say the parent, the dot behind it too; 0: it has none that is kept. */
static size_t parent_of(const char *text, size_t length) {
    const char *dot = memchr(text, '.', length);
    size_t size = dot ? length - (dot - text) : 0;
    return size < 4 || size > OUTLINE_PARENT ? 0 : size; /* the half is said by four */
}

int outline_of(const outline *self, const uint8_t *name, size_t size, uint8_t *out) {
    char text[LONGEST];
    uint8_t key[LONGEST + 1];
    size_t length = size > LONGEST ? 0 : spell(name, size, text), looked;
    if (!length || is_pythons(self, text, length)) return -1;
    for (size_t at = 0; at < length; at++) key[at] = text[length - 1 - at];
    key[length] = '.';
    size_t parent = parent_of(text, length);
    uint64_t place = parent ? memo_hash_of(0, key, parent) & (OUTLINE_PARENTS - 1) : 0;
    outline_parent *kept = &self->parents[place];
    if (parent && kept->size == parent && !memcmp(kept->key, key, parent)) {
        memcpy(out, kept->said, OUTLINE_SAID);
        return kept->filled;
    }
    int filled = walk(self, key, length + 1, out, &looked);
    if (!parent || looked > parent || filled < 0 || filled > OUTLINE_SAID) return filled;
    kept->size = parent;
    kept->filled = filled;
    memcpy(kept->key, key, parent);
    memcpy(kept->said, out, filled);
    return filled;
}
