/* See names.h. */
#include "names.h"

#include <stdlib.h>
#include <string.h>

#include "memo.h"

enum { PLACES = 4 * NAMES_KEPT, FIRST_ROOM = 4096 };

int names_open(names *self, uint64_t seed) {
    self->seed = seed;
    self->all = malloc(NAMES_MOST * sizeof *self->all);
    self->places = calloc(PLACES, sizeof *self->places);
    return self->all && self->places;
}

void names_close(names *self) {
    free(self->all);
    free(self->places);
    free(self->texts);
    self->all = NULL;
    self->places = NULL;
    self->texts = NULL;
}

void names_clear(names *self) {
    memset(self->places, 0, PLACES * sizeof *self->places);
    free(self->texts);
    self->texts = NULL;
    self->texts_size = self->texts_room = self->count = self->forgotten = 0;
}

static uint16_t *find(const names *self, uint64_t hash, const uint8_t *text, size_t size) {
    uint32_t at = hash & (PLACES - 1);
    for (; self->places[at]; at = (at + 1) & (PLACES - 1)) {
        const name *one = &self->all[self->places[at] - 1];
        if (one->hash == hash && one->size == size && !memcmp(self->texts + one->at, text, size))
            break;
    }
    return &self->places[at];
}

static unsigned used_so_often(const names *self, uint64_t uses) {
    unsigned count = 0;
    for (unsigned at = 0; at < self->count; at++) count += self->all[at].uses >= uses;
    return count;
}

/* The uses of the last one that is kept. */
static uint64_t least_kept(const names *self) {
    uint64_t least = 0, beyond = 1;
    while (used_so_often(self, beyond) >= NAMES_KEPT) beyond *= 2;
    while (beyond - least > 1) {
        uint64_t middle = least + (beyond - least) / 2;
        if (used_so_often(self, middle) >= NAMES_KEPT) least = middle;
        else beyond = middle;
    }
    return least;
}

void names_prune(names *self) {
    if (self->count <= NAMES_KEPT) return;
    uint64_t least = least_kept(self);
    unsigned spare = NAMES_KEPT - used_so_often(self, least + 1), count = self->count;
    self->count = self->texts_size = 0;
    memset(self->places, 0, PLACES * sizeof *self->places);
    for (unsigned at = 0; at < count; at++) {
        name one = self->all[at];
        if (one.uses < least || (one.uses == least && !spare)) continue;
        spare -= one.uses == least;
        memmove(self->texts + self->texts_size, self->texts + one.at, one.size);
        one.at = self->texts_size;
        self->texts_size += one.size;
        *find(self, one.hash, self->texts + one.at, one.size) = self->count + 1;
        self->all[self->count++] = one;
    }
    self->forgotten += count - self->count;
}

static int has_room(names *self, size_t size) {
    if (self->texts_size + size <= self->texts_room) return 1;
    size_t room = self->texts_room ? 2 * self->texts_room : FIRST_ROOM;
    uint8_t *texts = realloc(self->texts, room);
    if (!texts) return 0;
    self->texts = texts;
    self->texts_room = room;
    return 1;
}

int names_add(names *self, const uint8_t *text, size_t size, uint64_t uses, uint64_t tags) {
    uint64_t hash = memo_hash_of(self->seed, text, size);
    uint16_t *place = find(self, hash, text, size);
    if (*place) {
        name *one = &self->all[*place - 1];
        one->uses += uses;
        one->tags |= tags;
        return 1;
    }
    if (size > NAMES_LONGEST || !has_room(self, size)) return 0;
    if (self->count == NAMES_MOST) {
        names_prune(self);
        place = find(self, hash, text, size);
    }
    memcpy(self->texts + self->texts_size, text, size);
    self->all[self->count] = (name){uses, tags, hash, self->texts_size, size};
    self->texts_size += size;
    *place = ++self->count;
    return 1;
}
