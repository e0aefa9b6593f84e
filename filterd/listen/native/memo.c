/* The memo's two tables: responses in chained buckets, sources in open addressing. See memo.h. */
#include "memo.h"

#include <stdlib.h>
#include <string.h>

enum { AHEAD = 4 }; /* buckets; half of them are empty */

/* 64-bit multiply-mix over 8 octets a step; seeded, so that nobody outside can aim at a bucket. */
static uint64_t mix(uint64_t hash, uint64_t word) {
    __uint128_t product = (__uint128_t)(hash ^ word) * 0x9e3779b97f4a7c15ull;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t memo_hash_of(uint64_t seed, const uint8_t *bytes, size_t size) {
    uint64_t hash = seed ^ size, word;
    for (; size >= 8; bytes += 8, size -= 8) memcpy(&word, bytes, 8), hash = mix(hash, word);
    word = 0;
    memcpy(&word, bytes, size);
    return mix(mix(hash, word), seed);
}

static size_t size_of(const entry *one) {
    return sizeof *one + one->question_size + one->reply_size;
}

int memo_open(memo *table, size_t limit_bytes, uint64_t seed) {
    memset(table, 0, sizeof *table);
    table->limit_bytes = limit_bytes;
    table->seed = seed;
    table->bucket_count = 1024;
    while (table->bucket_count < limit_bytes / 256) table->bucket_count *= 2;
    table->buckets = calloc(table->bucket_count, sizeof *table->buckets);
    table->sources = calloc(SOURCE_SLOTS, sizeof *table->sources);
    table->networks = calloc(NETWORK_SLOTS, sizeof *table->networks);
    return table->buckets && table->sources && table->networks;
}

void memo_close(memo *table) {
    if (table->buckets) memo_flush(table);
    free(table->buckets);
    free(table->sources);
    free(table->networks);
    table->buckets = NULL;
    table->sources = NULL;
    table->networks = NULL;
}

void memo_flush(memo *table) {
    for (uint32_t at = 0; at < table->bucket_count; at++) {
        for (entry *one = table->buckets[at], *next; one; one = next) next = one->next, free(one);
        table->buckets[at] = NULL;
    }
    table->bytes = table->entries = 0;
}

/* Only what was written to: writing to 3 MiB that nobody used would make them ours. */
void memo_flush_sources(memo *table) {
    for (source *one = table->sources, *end = one + SOURCE_SLOTS; one < end; one++)
        if (one->taken) memset(one, 0, sizeof *one);
}

uint64_t memo_hash(const memo *table, uint32_t rules, uint8_t variant, const uint8_t *question,
                   size_t size) {
    return memo_hash_of(table->seed + ((uint64_t)(rules & LINEAGE) << 8 | variant), question, size);
}

static int holds_for(const entry *one, uint32_t rules) {
    return one->rules == rules || (rules && one->carried == rules);
}

static entry **place(memo *table, uint64_t hash, const entry *like, const uint8_t *question) {
    entry **at = &table->buckets[hash & (table->bucket_count - 1)];
    for (; *at; at = &(*at)->next) {
        const entry *one = *at;
        if (one->hash == hash && holds_for(one, like->rules) && one->variant == like->variant &&
            one->question_size == like->question_size &&
            !memcmp(one->bytes, question, like->question_size))
            break;
    }
    return at;
}

entry *memo_get(memo *table, uint32_t rules, uint8_t variant, const uint8_t *question, size_t size) {
    entry like = {.rules = rules, .variant = variant, .question_size = size};
    entry *one = *place(table, memo_hash(table, rules, variant, question, size), &like, question);
    if (one && one->rules != rules) one->rules = rules, one->carried = 0;
    return one;
}

entry *memo_get_hashed(memo *table, uint64_t hash, const uint8_t *question, size_t size) {
    entry like = {.question_size = size};
    return *place(table, hash, &like, question);
}

/* Whether no rules in force can use it any more. */
int memo_over(const memo *table, const entry *one) {
    return one->rules < table->oldest && one->carried < table->oldest;
}

void memo_take_out(memo *table, entry **at) {
    entry *one = *at;
    *at = one->next;
    table->bytes -= size_of(one);
    table->entries--;
    free(one);
}

/* Clock eviction: an entry used since the hand last came by gets one more round. Nobody has looked at
 * what it comes to next for long, so that is fetched ahead. */
static void make_room(memo *table, size_t wanted) {
    uint32_t rounds = 2 * table->bucket_count;
    while (table->bytes + wanted > table->limit_bytes && table->entries && rounds--) {
        entry **at = &table->buckets[table->hand++ & (table->bucket_count - 1)];
        __builtin_prefetch(table->buckets[(table->hand + AHEAD) & (table->bucket_count - 1)]);
        while (*at) {
            if ((*at)->used && !memo_over(table, *at)) (*at)->used = 0, at = &(*at)->next;
            else memo_take_out(table, at);
        }
    }
}

/* Store a response; `head` has everything but the links. Returns 0 when memory is refused. */
int memo_put(memo *table, const entry *head, const uint8_t *question, const uint8_t *reply) {
    uint64_t hash = memo_hash(table, head->rules, head->variant, question, head->question_size);
    entry **at = place(table, hash, head, question);
    entry like = *head;
    if (*at) {
        if ((*at)->hits && !(*at)->again) like.again = 0;
        like.hits += (*at)->hits;
        like.clients |= (*at)->clients;
        memo_take_out(table, at);
    }
    return memo_put_new(table, &like, hash, question, reply);
}

int memo_put_new(memo *table, const entry *head, uint64_t hash, const uint8_t *question,
                 const uint8_t *reply) {
    make_room(table, size_of(head));
    entry *one = malloc(size_of(head)), **at = &table->buckets[hash & (table->bucket_count - 1)];
    if (!one) return 0;
    *one = *head;
    memcpy(one->bytes, question, head->question_size);
    memcpy(one->bytes + head->question_size, reply, head->reply_size);
    one->hash = hash;
    one->next = *at;
    *at = one;
    table->bytes += size_of(one);
    table->entries++;
    if (head->variant < MEMO_VARIANTS) table->variants |= 1ull << head->variant;
    return 1;
}

/* What is held for a question under `from` holds under `to` as well, from `since_ms` on as it was
 * stored and until `until_ms` at most; how many responses. Both numbers have one lineage, so an entry
 * stays in its chain, and is found by either number until rules `to` have used it. */
unsigned memo_carry(memo *table, uint32_t from, uint32_t to, const uint8_t *question, size_t size,
                    int64_t since_ms, int64_t until_ms) {
    unsigned carried = 0;
    for (unsigned variant = 0; variant < MEMO_VARIANTS; variant++) {
        if (!(table->variants >> variant & 1)) continue;
        entry *one = memo_get(table, from, variant, question, size);
        if (!one || one->stored_ms < since_ms) continue;
        one->carried = to;
        if (one->until_ms > until_ms) one->until_ms = until_ms;
        carried++;
    }
    return carried;
}

/* The source's slot, or NULL; with `make` a free or the first probed slot is taken over. */
source *memo_source(memo *table, const uint8_t *address, int make) {
    uint64_t hash = memo_hash_of(table->seed, address, 16);
    source *first = &table->sources[hash & (SOURCE_SLOTS - 1)];
    for (uint32_t step = 0; step < 8; step++) {
        source *one = &table->sources[(hash + step) & (SOURCE_SLOTS - 1)];
        if (one->taken && !memcmp(one->address, address, 16)) return one;
        if (!one->taken) {
            if (!make) return NULL;
            first = one;
            break;
        }
    }
    if (!make) return NULL;
    memset(first, 0, sizeof *first);
    memcpy(first->address, address, 16);
    first->taken = 1;
    return first;
}

/* The allowance of the source's /24 (IPv4 mapped) or /56. */
allowance *memo_network(memo *table, const uint8_t *address) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    size_t size = memcmp(address, mapped, sizeof mapped) ? 7 : 15;
    return &table->networks[memo_hash_of(table->seed, address, size) & (NETWORK_SLOTS - 1)];
}

static int spend(allowance *from, float rate, float burst, int64_t now_ms) {
    from->tokens += from->filled_ms ? (now_ms - from->filled_ms) * rate / 1000 : burst;
    from->filled_ms = now_ms;
    if (from->tokens > burst) from->tokens = burst;
    if (from->tokens < 1) return 0;
    from->tokens -= 1;
    return 1;
}

/* Take one token of the source and of its network; 0 when there is none left (Python then says
 * what becomes of it). */
int source_spend(source *from, int64_t now_ms) {
    if (from->rate <= 0) return 1;
    return spend(&from->own, from->rate, from->burst, now_ms) &&
           spend(from->network, NETWORK_SHARE * from->rate, NETWORK_SHARE * from->burst, now_ms);
}

/* Whether `size` more octets that were waited for may go whole to this source in this window. */
int source_release(source *from, size_t size, int64_t now_ms, int window_ms, size_t most) {
    if (now_ms - from->window_ms > window_ms) from->window_ms = now_ms, from->released = 0;
    from->released += size;
    return from->released <= most;
}
