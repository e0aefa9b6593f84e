/* The memo: finished responses by (effective rules, variant, question), and who asks.
 *
 * Nothing is decided here: Python puts in a response that it has judged, with the time until which
 * that holds and the counters it adds to; a look-up that finds nothing is Python's to answer.
 */
#ifndef FILTERD_MEMO_H
#define FILTERD_MEMO_H

#include <stddef.h>
#include <stdint.h>

#include "outline.h"

enum {
    MEMO_TTLS = 24,      /* responses with more TTLs stay with Python */
    MEMO_COUNTS = 4,     /* counters one response adds to */
    MEMO_QUESTION = 260, /* longest wire name + type + class */
    MEMO_TALLIES = 32,   /* categories counted by source */
    SOURCE_SLOTS = 16384, /* sources remembered; a power of two */
    NETWORK_SLOTS = 4096, /* allowances of networks; two may meet in one; a power of two */
    HARVEST_STEP = 512,   /* entries and buckets looked at in one step: 0.1 ms */
    NETWORK_SHARE = 4,    /* a /24 or /56 may get what so many of its addresses may */
    LINEAGE = 0xff        /* of a number of rules: stays when they are replaced (see memo_carry) */
};

/* Above the bits of a variant: what holds for every name of an outline, which is the question then.
 * ALIKE: a response without its question; FORWARDED: only that it may be asked upstream. */
enum { MEMO_VARIANTS = 64, MEMO_ALIKE = 0x80, MEMO_FORWARDED = 0xC0, MEMO_REPLY = 4096 };

typedef struct entry {
    struct entry *next; /* first what looking up and making room read: one line of the cache */
    uint64_t hash;
    uint32_t rules;
    uint32_t carried; /* the rules that are about to replace those, 0: not judged for any */
    uint16_t question_size, reply_size;
    uint8_t variant, ttl_count, count_count, tally, used;
    uint8_t again; /* the native part made it, and will under other rules where names have an outline;
                    * Python's cache does not hold the answer */
    int64_t stored_ms, until_ms;
    uint32_t hits, uses; /* uses since stored; hits since the last harvest */
    uint64_t clients;    /* bit set of source tags: distinct clients, linear counting */
    uint32_t counts[MEMO_COUNTS];
    uint16_t ttls[MEMO_TTLS];
    uint8_t bytes[]; /* question, then reply */
} entry;

typedef struct {
    float tokens; /* responses left at `filled_ms`, 0: never used */
    int64_t filled_ms;
} allowance;

typedef struct {
    uint8_t address[16];
    uint32_t rules;
    float rate, burst; /* responses: per second, at most */
    allowance own, *network;
    int64_t window_ms;
    uint32_t tallies[MEMO_TALLIES];
    uint32_t released; /* octets of late answers in this window */
    uint16_t pending;  /* questions that wait */
    uint8_t tag, taken;
} source;

typedef struct {
    entry **buckets;
    uint32_t bucket_count, hand; /* a power of two; where eviction goes on */
    uint32_t harvest_at, held_at; /* the buckets where a harvest and a list in steps go on */
    uint32_t oldest;             /* rules with a smaller number are over */
    uint64_t variants;           /* bit set of those that were ever put */
    uint64_t seed;
    size_t bytes, limit_bytes, entries;
    source *sources;
    allowance *networks;
    const outline *names; /* NULL: no name has an outline */
    uint64_t *counters;
    size_t counter_count;
} memo;

int memo_open(memo *table, size_t limit_bytes, uint64_t seed);
void memo_close(memo *table);
void memo_flush(memo *table);
void memo_flush_sources(memo *table);
entry *memo_get(memo *table, uint32_t rules, uint8_t variant, const uint8_t *question, size_t size);
/* The same under rules 0 and variant 0; `hash` is `memo_hash` of it. */
entry *memo_get_hashed(memo *table, uint64_t hash, const uint8_t *question, size_t size);
uint64_t memo_hash_of(uint64_t seed, const uint8_t *bytes, size_t size);
uint64_t memo_hash(const memo *table, uint32_t rules, uint8_t variant, const uint8_t *question,
                   size_t size);
int memo_put(memo *table, const entry *head, const uint8_t *question, const uint8_t *reply);
/* The same of what is known not to be held; `hash` is `memo_hash` of it. */
int memo_put_new(memo *table, const entry *head, uint64_t hash, const uint8_t *question,
                 const uint8_t *reply);
unsigned memo_carry(memo *table, uint32_t from, uint32_t to, const uint8_t *question, size_t size,
                    int64_t since_ms, int64_t until_ms);
int memo_over(const memo *table, const entry *one);
void memo_take_out(memo *table, entry **at);
/* Keep a response also for all names of its name's outline; 0: it has none, or is no such response. */
int memo_spread(memo *table, uint32_t rules, uint8_t variant, const uint8_t *question, size_t size);
/* What `spread` kept for these names and this type and class (4 octets). */
entry *memo_alike(memo *table, uint32_t rules, uint8_t variant, const uint8_t *names, size_t size,
                  const uint8_t *type);
/* It, as the response to one question; NULL when memory is refused. */
entry *memo_adopt(memo *table, const entry *like, const uint8_t *question, size_t size);
source *memo_source(memo *table, const uint8_t *address, int make);
allowance *memo_network(memo *table, const uint8_t *address);
int source_spend(source *from, int64_t now_ms);
int source_release(source *from, size_t size, int64_t now_ms, int window_ms, size_t most);

#endif
