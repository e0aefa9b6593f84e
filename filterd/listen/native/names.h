/* Names that were asked for lately, with uses and a sketch of who asked; the rarest go first.
 *
 * The same as filterd.metrics.seen.PythonNames, which is the specification.
 */
#ifndef FILTERD_NAMES_H
#define FILTERD_NAMES_H

#include <stddef.h>
#include <stdint.h>

enum { NAMES_KEPT = 4096, NAMES_MOST = 2 * NAMES_KEPT, NAMES_LONGEST = 255 };

typedef struct {
    uint64_t uses, tags, hash;
    uint32_t at; /* in the texts */
    uint16_t size;
} name;

typedef struct {
    name *all;        /* as they came */
    uint16_t *places; /* of each, + 1; 0: free */
    uint8_t *texts;
    size_t texts_size, texts_room;
    unsigned count;
    uint64_t forgotten, seed;
} names;

int names_open(names *self, uint64_t seed);
void names_close(names *self);
/* A lower-case wire name was used so often, by clients with these tags; 0: no memory. */
int names_add(names *self, const uint8_t *text, size_t size, uint64_t uses, uint64_t tags);
/* Keep the NAMES_KEPT that were used most, among equals those that came first. */
void names_prune(names *self);
void names_clear(names *self);

#endif
