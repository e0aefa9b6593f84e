/* Questions that nobody has asked lately, on their way to an upstream and back without Python.
 *
 * Python decides once per name and rules (`judge`) whether a question may be forwarded at all; what
 * is sent and what is believed follows filterd.upstream.udp, and whatever is not the plain case is
 * handed to it in the middle of the exchange (`forward_event`).
 */
#ifndef FILTERD_FORWARD_H
#define FILTERD_FORWARD_H

#include <stdint.h>

#include "drain.h"
#include "lanes.h"
#include "reply.h"

enum {
    FORWARD_PENDING = 4096, /* questions under way here; more are Python's */
    FORWARD_SPARES = 512,
    FORWARD_PLAIN = 128, /* octets of a query for which a waiter is used again */
    FORWARD_CROWD = 500,    /* beyond it a source may have FORWARD_SHARE waiting */
    FORWARD_SHARE = 100,
    FORWARD_AT_ONCE = 2,    /* upstreams asked at the same time */
    FORWARD_QUERY = 12 + MEMO_QUESTION + 8 + 15 + LANE_COOKIE,
    FORWARD_BUCKETS = 17, /* of the histogram of durations */
    FORWARD_WAITERS = 10000, /* who wait in all; more are Python's */
    FORWARD_BURST = 65536, /* octets to one source in 10 ms (DNSBomb, CVE-2024-33655) */
    FORWARD_WINDOW_MS = 10,
    FORWARD_NOTED = 1 << 20, /* bits of what Python has in hand */
    FORWARD_NOTES = 1 << 16  /* before the older half is forgotten */
};

enum forward_what { FORWARD_ODD, FORWARD_SILENT, FORWARD_LIED, FORWARD_REFUSED, FORWARD_WANTED };

/* A client's query as it came, and what its answer is counted as. */
typedef struct waiter {
    struct waiter *next;
    void *drain; /* the listener's Drain, referred to */
    uint8_t address[16];
    int64_t arrived_us, until_ms;
    uint32_t rules, tier;
    uint16_t size, room;
    uint8_t variant, tag, name_size, control_size;
    uint8_t name[sizeof(struct sockaddr_in6)], control[DRAIN_CONTROL];
    uint8_t query[];
} waiter;

typedef struct pending {
    struct pending *next, **back; /* all of them */
    struct pending *chained;      /* those somebody waits for, by question */
    uint64_t hash;
    int64_t sent_us, due_ms;
    waiter *waiting;
    struct {
        port *on; /* NULL: not waited for */
        uint16_t id;
        uint8_t lane;
    } flights[FORWARD_AT_ONCE];
    uint16_t question_size, query_size;
    uint8_t adopted, lied, at_once;
    uint8_t held; /* an older answer to it is kept */
    uint8_t question[MEMO_QUESTION + 8]; /* in lower case */
    uint8_t query[FORWARD_QUERY];        /* as sent, with its case */
} pending;

/* Where counters stand (filterd.metrics.layout); by tier: + tier * `stride`. */
typedef struct {
    uint32_t forwarded, cached, stride, noerror, durations, duration_sum, misses, joined, hits, truncated;
    uint32_t bounds_us[FORWARD_BUCKETS - 1];
} places;

typedef struct forward {
    memo *rules;    /* sources and counters */
    memo answers;   /* upstream answers, shared by all rules */
    places at;
    uint32_t least_ttl, most_ttl, pending_most;
    int epoll, timer, ticking;
    lane lanes[LANES];
    lane *order[FORWARD_AT_ONCE]; /* who is asked now */
    unsigned at_once, waiters;
    int64_t order_until_ms;
    pending *all, *by_question[FORWARD_PENDING];
    unsigned count;
    port *dead;
    pending *spare; /* to be used again, `spares` of them */
    unsigned spares;
    waiter *unfit; /* answered, but too long for their datagram: for the handler */
    waiter *spare_waiter; /* likewise */
    unsigned spare_waiters;
    uint64_t noted[FORWARD_NOTED / 64][2]; /* see forward_note */
    unsigned notes, newer;
    struct mmsghdr heads[LANE_SLOTS];
    struct iovec vecs[LANE_SLOTS];
    uint8_t datagrams[LANE_SLOTS][DRAIN_DATAGRAM]; /* replies as they come */
    uint8_t chance[4096];
    size_t chance_left;
    void *object;
} forward;

int forward_open(forward *self, size_t limit_bytes, uint64_t seed);
void forward_close(forward *self);
/* By which a question is found here, among its answers and among what is noted. */
uint64_t forward_hash(const forward *self, const uint8_t *question, size_t size);
pending *forward_find(forward *self, uint64_t hash, const uint8_t *question, size_t size);
/* Send a new question; NULL when nothing can be sent. */
pending *forward_start(forward *self, const asked *one, int64_t now_us);
void pending_free(forward *self, pending *one);
/* Send what was started: after each batch of questions. */
void forward_depart(forward *self);
/* Whether the timer runs: while anything is under way or open. */
void forward_ticking(forward *self, int on);
/* Let it run at once: `forward_turn` has something to do. */
void forward_alarm(forward *self);
/* Wait for replies for at most no time; tells `forward_landed` and `forward_event`. */
void forward_turn(forward *self, int64_t now_us);
void forward_forget(forward *self, pending *one);
/* Somebody whom only Python can answer asks the same: tells `forward_event`. */
void forward_yield(forward *self, pending *one);

/* Python holds an answer to this question, or asks it: it is to be asked before the question is sent.
 * May be said of others too; is forgotten after some ten thousand more. */
void forward_note(forward *self, uint64_t hash);
int forward_is_noted(const forward *self, uint64_t hash);

/* One with room for a query of this size, nothing else set; NULL: no memory. */
waiter *waiter_make(forward *self, size_t size);
void waiter_free(forward *self, waiter *one);
/* Whether an address list has one of these, which are about to be told for `ttl` seconds. */
int forward_suspect(forward *self, const uint8_t *body, size_t size, size_t stride, uint32_t ttl);

/* Told by forward_turn; implemented where Python is at hand. */
void forward_landed(forward *self, pending *one, const answer *found, int64_t now_us);
void forward_event(forward *self, pending *one, unsigned flight, enum forward_what what,
                   const uint8_t *datagram, size_t size, int number);
#endif
