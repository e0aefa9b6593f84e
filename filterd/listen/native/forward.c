/* See forward.h. Nothing in here calls Python but through forward_landed and forward_event. */
#define _GNU_SOURCE
#include "forward.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "octets.h"

enum { TICK_MS = 20, TURNS = 4, EVENTS = 64, NEGATIVE_MOST = 3600 };

int forward_open(forward *self, size_t limit_bytes, uint64_t seed) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    for (int i = 0; i < LANE_SLOTS; i++) {
        self->vecs[i] = (struct iovec){self->datagrams[i], DRAIN_DATAGRAM};
        self->heads[i].msg_hdr = (struct msghdr){.msg_iov = &self->vecs[i], .msg_iovlen = 1};
    }
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    self->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    return memo_open(&self->answers, limit_bytes, seed) && self->epoll >= 0 && self->timer >= 0 &&
           !epoll_ctl(self->epoll, EPOLL_CTL_ADD, self->timer, &event);
}

static void bury(forward *self) {
    for (port *one = self->dead, *next; one; one = next) next = one->dead, free(one);
    self->dead = NULL;
}

void forward_close(forward *self) {
    while (self->all) forward_forget(self, self->all);
    for (unsigned at = 0; at < LANES; at++)
        while (self->lanes[at].live) port_close(self->lanes[at].ports[0], &self->dead);
    bury(self);
    for (pending *one = self->spare, *next; one; one = next) next = one->next, free(one);
    self->spare = NULL;
    for (waiter *one = self->spare_waiter, *next; one; one = next) next = one->next, free(one);
    self->spare_waiter = NULL;
    memo_close(&self->answers);
    if (self->timer >= 0) close(self->timer);
    if (self->epoll >= 0) close(self->epoll);
    self->timer = self->epoll = -1;
}

static void set_timer(forward *self, long first_ns) {
    struct itimerspec every = {.it_value.tv_nsec = first_ns};
    if (first_ns) every.it_interval.tv_nsec = TICK_MS * 1000000l;
    timerfd_settime(self->timer, 0, &every, NULL);
    self->ticking = first_ns != 0;
}

void forward_ticking(forward *self, int on) {
    if (on != self->ticking) set_timer(self, on ? TICK_MS * 1000000l : 0);
}

void forward_alarm(forward *self) { set_timer(self, 1); }

uint64_t forward_hash(const forward *self, const uint8_t *question, size_t size) {
    return memo_hash(&self->answers, 0, 0, question, size);
}

pending *forward_find(forward *self, uint64_t hash, const uint8_t *question, size_t size) {
    pending *one = self->by_question[hash % FORWARD_PENDING];
    for (; one; one = one->chained)
        if (one->hash == hash && one->question_size == size &&
            !memcmp(one->question, question, size))
            return one;
    return NULL;
}

static uint32_t note_of(uint64_t hash) { return hash >> 20 & (FORWARD_NOTED - 1); }

void forward_note(forward *self, uint64_t hash) {
    uint32_t at = note_of(hash);
    if (self->notes++ == FORWARD_NOTES) {
        self->newer ^= 1;
        self->notes = 0;
        for (uint32_t word = 0; word < FORWARD_NOTED / 64; word++) self->noted[word][self->newer] = 0;
    }
    self->noted[at / 64][self->newer] |= 1ull << at % 64;
}

int forward_is_noted(const forward *self, uint64_t hash) {
    uint32_t at = note_of(hash);
    return (self->noted[at / 64][0] | self->noted[at / 64][1]) >> at % 64 & 1;
}

/* --- ending ----------------------------------------------------------------------------- */

static void unchain(forward *self, pending *one) {
    pending **at = &self->by_question[one->hash % FORWARD_PENDING];
    while (*at && *at != one) at = &(*at)->chained;
    if (*at) *at = one->chained;
}

/* The reply of this flight is waited for no more. */
static void leave(pending *one, unsigned flight) {
    port *on = one->flights[flight].on;
    slot *held = on ? port_slot(on, one->flights[flight].id) : NULL;
    if (held && held->owner == one) held->owner = NULL;
    one->flights[flight].on = NULL;
}

void forward_forget(forward *self, pending *one) {
    if (!one->adopted) unchain(self, one);
    for (unsigned at = 0; at < FORWARD_AT_ONCE; at++) leave(one, at);
    for (waiter *each = one->waiting, *next; each; each = next) {
        next = each->next;
        waiter_free(self, each);
    }
    *one->back = one->next;
    if (one->next) one->next->back = one->back;
    self->count--;
    pending_free(self, one);
}

/* Hand it over: what another upstream still says is not waited for, Python asks it again. */
static void hand_over(forward *self, pending *one, unsigned flight, enum forward_what what,
                      const uint8_t *datagram, size_t size, int number) {
    int more = one->flights[flight].on != NULL; /* it may still get its reply */
    forward_event(self, one, flight, what, datagram, size, number);
    for (unsigned at = 0; at < FORWARD_AT_ONCE; at++)
        if (at != flight || !more) leave(one, at);
    if (!more) forward_forget(self, one);
    else if (!one->adopted) unchain(self, one), one->adopted = 1;
}

void forward_yield(forward *self, pending *one) {
    hand_over(self, one, one->flights[0].on ? 0 : 1, FORWARD_WANTED, NULL, 0, 0);
}

/* --- receiving -------------------------------------------------------------------------- */

static unsigned flight_of(const pending *one, const port *on) {
    return one->flights[0].on == on ? 0 : 1;
}

/* Everything under way on a socket that is given up. */
static void give_up(forward *self, port *on, enum forward_what what, int number) {
    for (int i = 0; i < LANE_SLOTS; i++) {
        pending *owner = on->slots[i].sent_ms ? on->slots[i].owner : NULL;
        if (!owner) continue;
        unsigned flight = flight_of(owner, on);
        leave(owner, flight);
        hand_over(self, owner, flight, what, NULL, 0, number);
    }
    port_close(on, &self->dead);
}

/* RFC 7873 section 5.3. 0: a stranger's; 1: believed; -1: Python says what its lack means. */
static int cookie_fits(lane *from, const answer *found) {
    if (!found->cookie_size) return from->cookie_size > 8 ? -1 : 1;
    if (found->cookie_size < 8 || memcmp(found->cookie, from->cookie, 8)) return 0;
    if (found->cookie_size < 16 ||
        (found->cookie_size == from->cookie_size &&
         !memcmp(found->cookie, from->cookie, from->cookie_size)))
        return 1;
    memcpy(from->cookie, found->cookie, found->cookie_size);
    from->cookie_size = found->cookie_size;
    from->learnt = 1;
    return 1;
}

static void won(forward *self, pending *one, lane *from, const answer *found, int64_t now_us) {
    from->replies++;
    from->rtt_us += now_us - one->sent_us;
    for (unsigned at = 0; at < FORWARD_AT_ONCE; at++)
        if (one->flights[at].on && one->flights[at].on->lane != from)
            one->flights[at].on->lane->outrun_us += now_us - one->sent_us;
    forward_landed(self, one, found, now_us);
    forward_forget(self, one);
}

static uint32_t clamped(const forward *self, uint32_t ttl) {
    if (ttl > self->most_ttl) ttl = self->most_ttl;
    return ttl < self->least_ttl ? self->least_ttl : ttl;
}

/* How long it may be kept, and the TTLs that are told, within their bounds. */
static void settle_negative(const forward *self, answer *found) {
    if (found->ttl > self->most_ttl) found->ttl = self->most_ttl;
    for (size_t at = 0; at < found->body_size; at = reply_next(found->body, at)) {
        uint8_t *told = found->body + reply_ttl_at(found->body, at);
        uint32_t ttl = get32(told);
        ttl = clamped(self, ttl > NEGATIVE_MOST ? NEGATIVE_MOST : ttl);
        put32(told, ttl);
    }
}

/* Whether Python has to look at a good answer all the same: a TTL of 0, a listed address. */
static int is_delicate(forward *self, answer *found) {
    if (found->marks & REPLY_NEGATIVE) return settle_negative(self, found), 0;
    return !(found->ttl = clamped(self, found->ttl)) ||
           forward_suspect(self, found->body, found->body_size, found->body_size / found->count,
                           found->ttl);
}

static void judge(forward *self, port *on, slot *held, const uint8_t *datagram, size_t size,
                  int64_t now_us) {
    answer found;
    pending *one = held->owner;
    lane *from = on->lane;
    enum reply_kind kind = REPLY_ODD;
    if (one) {
        kind = reply_read(one->query, one->question_size, datagram, size, &found);
        int known = kind == REPLY_PLAIN ? cookie_fits(from, &found) : 1;
        if (kind == REPLY_FOREIGN || !known) {
            from->malformed += kind == REPLY_FOREIGN;
            one->lied = 1;
            return;
        }
        if (known < 0 || one->adopted) kind = REPLY_ODD;
        if (kind == REPLY_PLAIN && is_delicate(self, &found)) kind = REPLY_ODD;
    }
    held->sent_ms = 0;
    on->taken--;
    if (!one) {
        from->replies++;
    } else {
        unsigned flight = flight_of(one, on);
        one->flights[flight].on = NULL;
        if (kind == REPLY_PLAIN)
            won(self, one, from, &found, now_us);
        else
            hand_over(self, one, flight, FORWARD_ODD, datagram, size, 0);
    }
    port_rest(on, now_us / 1000, &self->dead);
}

static void stranger(forward *self, port *on) {
    on->lane->wrong_ids++;
    for (int i = 0; i < LANE_SLOTS; i++)
        if (on->slots[i].sent_ms && on->slots[i].owner) on->slots[i].owner->lied = 1;
    if (++on->wrong >= WRONG_IDS) give_up(self, on, FORWARD_LIED, 0);
}

/* What came on a socket, as much as is waited for; more is there at the next turn. */
static void receive(forward *self, port *on, int64_t now_us) {
    int count = recvmmsg(on->fd, self->heads, on->taken ? on->taken : 1, MSG_DONTWAIT, NULL);
    if (count < 0 && errno != EAGAIN && errno != EINTR) give_up(self, on, FORWARD_REFUSED, errno);
    for (int i = 0; i < count && on->fd >= 0; i++) {
        const uint8_t *datagram = self->datagrams[i];
        size_t size = self->heads[i].msg_len;
        slot *held = size < 2 ? NULL : port_slot(on, get16(datagram));
        if (held) judge(self, on, held, datagram, size, now_us);
        else stranger(self, on);
    }
}

static void tick(forward *self, int64_t now_ms) {
    uint64_t times;
    unsigned live = 0;
    if (read(self->timer, &times, sizeof times) < 0) return;
    for (pending *one = self->all, *next; one; one = next) {
        next = one->next;
        if (one->adopted) {
            if (now_ms - one->sent_us / 1000 > LANE_WAIT_MS) forward_forget(self, one);
        } else if (one->due_ms <= now_ms) {
            hand_over(self, one, one->flights[0].on ? 0 : 1, FORWARD_SILENT, NULL, 0, 0);
        }
    }
    for (unsigned at = 0; at < LANES; at++) {
        lane_tidy(&self->lanes[at], now_ms, &self->dead);
        live += self->lanes[at].live;
    }
    if (!self->all && !live) forward_ticking(self, 0);
}

/* Sockets that could not send: whoever is under way there goes another way. */
static void give_up_failed(forward *self, lane *one) {
    one->failed = 0;
    for (unsigned at = one->live; at-- > 0;) {
        port *each = at < one->live ? one->ports[at] : NULL;
        if (each && each->failed) give_up(self, each, FORWARD_REFUSED, each->failed);
    }
}

void forward_turn(forward *self, int64_t now_us) {
    struct epoll_event events[EVENTS];
    for (unsigned at = 0; at < LANES; at++)
        if (self->lanes[at].failed) give_up_failed(self, &self->lanes[at]);
    for (int turn = 0; turn < TURNS; turn++) {
        int count = epoll_wait(self->epoll, events, EVENTS, 0);
        for (int i = 0; i < count; i++) {
            port *on = events[i].data.ptr;
            if (!on) tick(self, now_us / 1000);
            else if (on->fd >= 0) receive(self, on, now_us);
        }
        bury(self);
        if (count < EVENTS) break;
    }
}
