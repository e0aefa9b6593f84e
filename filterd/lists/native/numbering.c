/* The numbers that marisa-trie gives keys, without asking it for each of them.
 *
 * Its tree has a node for each text that several keys begin with in common, and numbers the ends of
 * keys by levels: below each node the heavier branch first (by the keys it holds), and among equals
 * the one whose octet is lower (marisa/grimoire/trie/louds-trie.cc, build_current_trie).
 */
#include "columns.h"

/* Keys first … end - 1, which begin with the same `depth` octets: a node. */
typedef struct {
    uint32_t first, end, depth;
} node;

typedef struct {
    node *nodes;
    size_t count, room;
} level;

/* shared[i]: octets that key i begins with in common with the key before it. */
static void measure(const key *sorted, uint32_t count, uint32_t *shared) {
    for (uint32_t i = 1; i < count; i++) {
        const key *one = sorted + i - 1, *other = sorted + i;
        uint32_t size = one->size < other->size ? one->size : other->size, at = 0;
        while (at < size && one->at[at] == other->at[at]) at++;
        shared[i] = at;
    }
}

static int append(level *to, node one) {
    if (to->count == to->room) {
        size_t room = to->room ? 2 * to->room : 1024;
        node *more = realloc(to->nodes, room * sizeof *more);
        if (!more) return 0;
        to->nodes = more;
        to->room = room;
    }
    to->nodes[to->count++] = one;
    return 1;
}

/* How deep these keys go together. */
static uint32_t together(const key *sorted, const uint32_t *shared, uint32_t first, uint32_t end) {
    uint32_t depth = sorted[first].size;
    for (uint32_t i = first + 1; i < end; i++)
        if (shared[i] < depth) depth = shared[i];
    return depth;
}

static uint32_t weight(const node *one) { return one->end - one->first; }

/* The branches below a node, the heaviest first; an octet differs, so there are 256 at the most. */
static size_t branches(const uint32_t *shared, const node *over, node *found) {
    size_t count = 0;
    for (uint32_t first = over->first, i = first + 1; first < over->end; first = i++) {
        while (i < over->end && shared[i] > over->depth) i++;
        node one = {first, i, 0};
        size_t to = count++;
        for (; to && weight(found + to - 1) < weight(&one); to--) found[to] = found[to - 1];
        found[to] = one;
    }
    return count;
}

/* Number what ends at each node of a level, and find the nodes below. */
static int number_level(const key *sorted, const uint32_t *shared, const level *of, level *below,
                        uint32_t *numbers, uint32_t *next) {
    node found[256];
    for (size_t at = 0; at < of->count; at++) {
        node one = of->nodes[at];
        int ends = 0;
        for (; one.first < one.end && sorted[one.first].size == one.depth; one.first++, ends = 1)
            numbers[sorted[one.first].place] = *next;
        *next += ends;
        size_t count = branches(shared, &one, found);
        for (size_t i = 0; i < count; i++) {
            found[i].depth = together(sorted, shared, found[i].first, found[i].end);
            if (!append(below, found[i])) return 0;
        }
    }
    return 1;
}

int keys_number(const key *sorted, uint32_t count, uint32_t *numbers) {
    uint32_t *shared = calloc((size_t)count + 1, sizeof *shared), next = 0;
    level now = {0}, below = {0};
    int done = shared && append(&now, (node){0, count, 0});
    if (done) measure(sorted, count, shared);
    while (done && now.count) {
        below.count = 0;
        done = number_level(sorted, shared, &now, &below, numbers, &next);
        level kept = now;
        now = below;
        below = kept;
    }
    free(shared);
    free(now.nodes);
    free(below.nodes);
    return done;
}
