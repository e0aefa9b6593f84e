/* What the lists' file says of a name, where nothing else speaks of it.
 *
 * Nothing is decided here: two names of the same outline get the same verdict under the same rules,
 * so Python judges once for all of them (filterd.resolve.handler). A name that anything but a plain
 * entry of the file may speak of has no outline and is Python's alone.
 */
#ifndef FILTERD_OUTLINE_H
#define FILTERD_OUTLINE_H

#include "trie.h"

enum {
    OUTLINE_HALVES = 2,
    OUTLINE_SIZE = 4 * TRIE_FOUND,
    OUTLINE_PARENTS = 512, /* kept; a power of two */
    OUTLINE_PARENT = 46,   /* octets of the longest */
    OUTLINE_SAID = 16
};

typedef struct {
    trie names;
    const void *sets; /* for each name the number of its set of lists and scopes; 0: says nothing */
    size_t set_count;
    int width; /* octets of a number: 1, 2 or 4 */
} outline_half;

/* What holds for all names right below a parent: the walk for one of them ended inside of it. Most new
 * names have a parent that others had. */
typedef struct {
    uint8_t size, filled; /* 0: none is kept here */
    uint8_t key[OUTLINE_PARENT], said[OUTLINE_SAID];
} outline_parent;

typedef struct {
    outline_half halves[OUTLINE_HALVES]; /* names under com, net and org; all others */
    uint64_t *touched; /* hashes of names; at and below them Python judges */
    uint32_t touched_mask, pieces_mask;
    uint32_t *pieces; /* 3 or 4 octets that an expression needs */
    outline_parent *parents;
} outline;

void outline_close(outline *self);
/* Room for so many names and pieces; 0: no memory. */
int outline_reserve(outline *self, size_t names, size_t pieces);
/* `name` in lower case with dots between its labels, none at the end. */
void outline_touch(outline *self, const char *name, size_t size);
/* 3 or 4 octets. */
void outline_need(outline *self, const char *piece, size_t size);
/* Whether a lower-case wire name is left to the lists, so that it has an outline. */
int outline_leaves(const outline *self, const uint8_t *name, size_t size);
/* The outline of a lower-case wire name into `out` (OUTLINE_SIZE octets): its size, -1: none. */
int outline_of(const outline *self, const uint8_t *name, size_t size, uint8_t *out);

#endif
