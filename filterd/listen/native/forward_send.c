/* Sending a question for native forwarding: id, port, letter case and cookie as in upstream.udp. */
#define _GNU_SOURCE
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "forward.h"
#include "octets.h"

_Static_assert((int)FORWARD_QUERY <= (int)LANE_DATAGRAM, "a query has room among those that leave");

/* `size` octets of chance; 0 when the kernel has none. */
static int draw(forward *self, void *to, size_t size) {
    if (self->chance_left < size) {
        if (getrandom(self->chance, sizeof self->chance, 0) != sizeof self->chance) return 0;
        self->chance_left = sizeof self->chance;
    }
    self->chance_left -= size;
    memcpy(to, self->chance + self->chance_left, size);
    memset(self->chance + self->chance_left, 0, size);
    return 1;
}

/* The question with its letters' case drawn (0x20), behind a header, before an OPT with DO. */
static int build(forward *self, pending *one, const uint8_t *question, size_t size, int mixed) {
    static const uint8_t header[12] = {[2] = 1, [3] = 0x20, [5] = 1, [11] = 1}; /* RD, AD */
    uint8_t *name = one->query + 12, bits[(MEMO_QUESTION + 7) / 8];
    memcpy(one->query, header, 12);
    memcpy(name, question, size);
    if (mixed && !draw(self, bits, (size + 7) / 8)) return 0;
    for (size_t i = 0; mixed && i < size - 4; i++)
        if ((uint8_t)(name[i] - 'a') < 26 && bits[i / 8] >> i % 8 & 1) name[i] -= 32;
    one->question_size = size;
    return 1;
}

/* The OPT of this upstream (1232 octets, DO, COOKIE); the size of the whole query. */
static size_t put_opt(pending *one, const lane *to) {
    uint8_t *at = one->query + 12 + one->question_size;
    const uint8_t opt[15] = {0,    0, 41, 0x04, 0xd0, 0, 0, 0x80, 0, 0, to->cookie_size + 4,
                             0,    10, 0, to->cookie_size};
    memcpy(at, opt, sizeof opt);
    memcpy(at + sizeof opt, to->cookie, to->cookie_size);
    return at + sizeof opt + to->cookie_size - one->query;
}

static int send_to(forward *self, pending *one, lane *to, unsigned flight, int64_t now_ms) {
    uint32_t chance[2];
    if (!draw(self, chance, sizeof chance)) return 0;
    port *on = lane_port(to, self->epoll, chance[0], now_ms);
    if (!on) return 0;
    uint16_t id = chance[1] >> 8;
    while (port_slot(on, id)) id++;
    put16(one->query, id);
    size_t size = put_opt(one, to);
    if (flight == 0) one->query_size = size;
    lane_queue(to, on, one->query, size);
    slot *free_slot = on->slots;
    while (free_slot->sent_ms) free_slot++;
    *free_slot = (slot){one, now_ms, id};
    on->taken++;
    on->uses++;
    to->sent++;
    one->flights[flight].on = on;
    one->flights[flight].id = id;
    one->flights[flight].lane = to - self->lanes;
    return 1;
}

void forward_depart(forward *self) {
    int failed = 0;
    for (unsigned at = 0; at < LANES; at++) {
        if (self->lanes[at].queued) lane_depart(&self->lanes[at]);
        failed |= self->lanes[at].failed;
    }
    if (failed) forward_alarm(self);
}

static void chain(forward *self, pending *one, const asked *from) {
    pending **bucket = &self->by_question[from->hash % FORWARD_PENDING];
    memcpy(one->question, from->question, one->question_size);
    one->hash = from->hash;
    one->chained = *bucket;
    *bucket = one;
    one->next = self->all;
    one->back = &self->all;
    if (self->all) self->all->back = &one->next;
    self->all = one;
    self->count++;
}

/* An empty one: all but the octets, which are written before they are read. */
static pending *pending_make(forward *self) {
    pending *one = self->spare;
    if (!one) return calloc(1, sizeof *one);
    self->spare = one->next;
    self->spares--;
    memset(one, 0, offsetof(pending, question));
    return one;
}

void pending_free(forward *self, pending *one) {
    if (self->spares == FORWARD_SPARES) return free(one);
    one->next = self->spare;
    self->spare = one;
    self->spares++;
}

pending *forward_start(forward *self, const asked *from, int64_t now_us) {
    int64_t now_ms = now_us / 1000, patience = 0;
    pending *one = self->count < FORWARD_PENDING ? pending_make(self) : NULL;
    if (!one) return NULL;
    int mixed = 1;
    for (unsigned at = 0; at < self->at_once; at++) mixed &= self->order[at]->keeps_case;
    if (!build(self, one, from->question, from->question_size, mixed))
        return pending_free(self, one), NULL;
    for (unsigned at = 0; at < self->at_once; at++) {
        if (!send_to(self, one, self->order[at], at, now_ms)) continue;
        one->at_once++;
        if (self->order[at]->patience_ms > patience) patience = self->order[at]->patience_ms;
    }
    if (!one->at_once) return pending_free(self, one), NULL;
    one->sent_us = now_us;
    one->due_ms = now_ms + patience;
    chain(self, one, from);
    one->held = from->held;
    forward_ticking(self, 1);
    return one;
}
