/* What happens to a question the memo does not know, and to those who waited for its answer.
 *
 * The steps of filterd.resolve.handler for addresses of a name that may be forwarded; the verdict
 * itself is forward_judge.c's.
 */
#include "objects.h"

enum { PREFETCH_PERCENT = 90, LONGEST_MS = 3600000 };

static int is_address(const asked *one) {
    const uint8_t *tail = one->question + one->question_size - 4;
    return !tail[0] && (tail[1] == 1 || tail[1] == 28) && !tail[2] && tail[3] == 1;
}

/* Octets of one record of the asked type, its owner a pointer. */
static size_t stride_of(const asked *one) {
    return one->question[one->question_size - 3] == 1 ? 16 : 28;
}

static int is_own(const uint8_t *address) {
    static const uint8_t box4[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1};
    static const uint8_t box6[16] = {[15] = 1};
    return !memcmp(address, box4, 16) || !memcmp(address, box6, 16);
}

/* The TTL to tell: no longer than the answer holds, nor than the rules do. */
static uint32_t shown(int64_t left_ms, int64_t rules_ms) {
    int64_t least = left_ms < rules_ms ? left_ms : rules_ms;
    return least < 0 ? 0 : least / 1000;
}

static uint32_t seconds_of(int64_t ms) {
    return ms < 0 ? 0 : ms / 1000 > UINT32_MAX ? UINT32_MAX : ms / 1000;
}

/* The counter of an answer's rcode. */
static uint32_t rcode_at(const Forward *self, int marks) {
    return self->flow.at.noerror + (marks & REPLY_NXDOMAIN ? 3 : 0);
}

static void count(Forward *self, uint32_t first, uint32_t tier, int marks, int64_t waited_us) {
    const places *at = &self->flow.at;
    uint64_t *counters = self->memo->table.counters;
    int bucket = 0;
    while (bucket < FORWARD_BUCKETS - 1 && waited_us > at->bounds_us[bucket]) bucket++;
    counters[first + tier * at->stride]++;
    counters[rcode_at(self, marks)]++;
    counters[at->durations + bucket]++;
    counters[at->duration_sum] += waited_us;
}

/* --- from the answers that are held ------------------------------------------------------ */

static void remember(Forward *self, const asked *one, const verdict *found, const entry *known,
                     int64_t now_ms, const uint8_t *response, size_t size) {
    const places *at = &self->flow.at;
    uint8_t reply[REPLY_RESPONSE];
    int64_t until = known->stored_ms + (known->until_ms - known->stored_ms) / 100 * PREFETCH_PERCENT;
    entry head = {.rules = one->from->rules, .variant = one->variant, .stored_ms = now_ms,
                  .question_size = one->question_size, .reply_size = size, .tally = NO_TALLY,
                  .used = 1, .again = 1, .count_count = 4,
                  .counts = {at->cached + found->tier * at->stride, rcode_at(self, known->tally),
                             at->durations + 2, at->hits}};
    if (until > ends_ms(found)) until = ends_ms(found);
    head.until_ms = until > now_ms + LONGEST_MS ? now_ms + LONGEST_MS : until;
    const uint8_t *body = known->bytes + known->question_size;
    for (size_t record = 0; record < known->reply_size; record = reply_next(body, record)) {
        if (head.ttl_count == MEMO_TTLS) return;
        head.ttls[head.ttl_count++] = 12 + one->question_size + reply_ttl_at(body, record);
    }
    memcpy(reply, response, size);
    reply[0] = reply[1] = 0;
    memcpy(reply + 12, one->question, one->question_size);
    memo_put(&self->memo->table, &head, one->question, reply);
}

static Py_ssize_t tell_known(Forward *self, asked *one, const verdict *found, entry *known,
                             int64_t now_ms, uint8_t *out) {
    int64_t left = known->until_ms - now_ms;
    const uint8_t *body = known->bytes + known->question_size;
    int negative = known->tally & REPLY_NEGATIVE;
    int64_t rules = ends_ms(found) - now_ms;
    if (!negative && forward_suspect(&self->flow, body, known->reply_size, stride_of(one), left / 1000))
        return 0;
    size_t size = negative
        ? reply_write_negative(one->query, one->question_size, one->variant, one->room, body,
                               known->reply_size, known->tally, (now_ms - known->stored_ms) / 1000,
                               seconds_of(rules), out)
        : reply_write(one->query, one->question_size, one->variant, one->room, body,
                      known->reply_size, known->tally, shown(left, rules), out);
    if (!size || out[2] & 2) return 0; /* too long: the handler's */
    known->hits++;
    known->uses++;
    known->used = 1;
    known->clients |= 1ull << (one->from->tag & 63);
    count(self, self->flow.at.cached, found->tier, known->tally, 0);
    self->memo->table.counters[self->flow.at.hits]++;
    remember(self, one, found, known, now_ms, out, size);
    return size;
}

/* --- by asking upstream ------------------------------------------------------------------ */

static int wait_for(Forward *self, Drain *by, pending *on, const asked *one, const verdict *found,
                    const struct msghdr *head, int64_t now_us) {
    waiter *made = head->msg_namelen > sizeof made->name || self->flow.waiters >= FORWARD_WAITERS
        ? NULL : waiter_make(&self->flow, one->size);
    if (!made) return 0;
    Py_INCREF(by);
    made->drain = by;
    memcpy(made->address, one->address, 16);
    made->arrived_us = now_us;
    made->until_ms = ends_ms(found);
    made->rules = one->from->rules;
    made->tier = found->tier;
    made->tag = one->from->tag;
    made->size = one->size;
    made->room = one->room;
    made->variant = one->variant;
    made->name_size = head->msg_namelen;
    made->control_size = head->msg_controllen;
    memcpy(made->name, head->msg_name, head->msg_namelen);
    memcpy(made->control, head->msg_control, head->msg_controllen);
    memcpy(made->query, one->query, one->size);
    made->next = on->waiting;
    on->waiting = made;
    self->flow.waiters++;
    one->from->pending++;
    return 1;
}

waiter *waiter_make(forward *flow, size_t size) {
    waiter *one = flow->spare_waiter;
    if (size > FORWARD_PLAIN || !one)
        return malloc(sizeof *one + (size > FORWARD_PLAIN ? size : FORWARD_PLAIN));
    flow->spare_waiter = one->next;
    flow->spare_waiters--;
    return one;
}

void waiter_free(forward *flow, waiter *one) {
    source *from = memo_source(flow->rules, one->address, 0);
    if (from && from->pending) from->pending--;
    flow->waiters--;
    Py_DECREF((PyObject *)one->drain);
    if (one->size > FORWARD_PLAIN || flow->spare_waiters == FORWARD_SPARES) return free(one);
    one->next = flow->spare_waiter;
    flow->spare_waiter = one;
    flow->spare_waiters++;
}

static int ask_upstream(Forward *self, Drain *by, const asked *one, const verdict *found,
                        pending *on, const struct msghdr *head, int64_t now_us) {
    int joined = on != NULL;
    if (!on) on = forward_start(&self->flow, one, now_us);
    if (!on) return 0;
    if (!wait_for(self, by, on, one, found, head, now_us)) {
        if (!joined) forward_forget(&self->flow, on);
        return 0;
    }
    return -1;
}

static void freshen_order(Forward *self, int64_t now_ms) {
    if (self->flow.order_until_ms > now_ms) return;
    self->flow.order_until_ms = now_ms + 1000; /* if it breaks, it is not asked at every question */
    self->flow.at_once = 0;
    PyObject *said = PyObject_CallNoArgs(self->refresh);
    if (!said) PyErr_WriteUnraisable(self->refresh);
    Py_XDECREF(said);
}

/* A fresh answer that is held; NULL with `aside` when it is time to ask for it anew. */
static entry *find_known(Forward *self, asked *one, int64_t now_ms, int *aside) {
    entry *known =
        memo_get_hashed(&self->flow.answers, one->hash, one->question, one->question_size);
    one->held = known != NULL;
    if (!known || known->until_ms <= now_ms) return NULL;
    int64_t life = known->until_ms - known->stored_ms;
    if ((now_ms - known->stored_ms) * 100 < life * PREFETCH_PERCENT) return known;
    if (one->expired) known->uses += one->expired->uses, one->expired->uses = 0;
    *aside = 1; /* asking while it still holds is the handler's */
    return NULL;
}

/* As filterd.resolve.finding: in a crowd, new ones are for whoever waits for few. */
static int has_room(const Forward *self, const asked *one) {
    if (one->from->pending >= self->flow.pending_most) return 0;
    return self->flow.count < FORWARD_CROWD || one->from->pending < FORWARD_SHARE ||
           is_own(one->address);
}

Py_ssize_t forward_take(Forward *self, Drain *by, asked *one, const struct msghdr *head,
                        int64_t now_us, uint8_t *out) {
    int64_t now_ms = now_us / 1000;
    verdict found = {0};
    int aside = 0;
    if (!one->question_size || !one->from || !is_address(one)) return 0;
    uint32_t rules = one->from->rules;
    one->hash = forward_hash(&self->flow, one->question, one->question_size);
    entry *known = find_known(self, one, now_ms, &aside);
    if (!known) {
        if (aside) return 0;
        freshen_order(self, now_ms);
        if (!self->flow.at_once || !has_room(self, one)) return 0;
    }
    pending *on = forward_find(&self->flow, one->hash, one->question, one->question_size);
    one->expired = NULL; /* what Python is asked now may change the memo */
    int said = forward_verdict(self, one, on, now_ms, &found);
    if (!said || ends_ms(&found) <= now_ms) return 0;
    if (said == 2) { /* it may have found that another period has begun: look at everything again */
        if (!one->from->taken || one->from->rules != rules) return 0;
        known = find_known(self, one, now_ms, &aside);
        on = forward_find(&self->flow, one->hash, one->question, one->question_size);
    }
    if (!source_spend(one->from, now_ms)) return 0;
    if (known) return tell_known(self, one, &found, known, now_ms, out);
    if (!self->flow.at_once) return 0;
    return ask_upstream(self, by, one, &found, on, head, now_us);
}

/* --- answers ----------------------------------------------------------------------------- */

void forward_flush(Forward *self) {
    if (self->out.count) sendmmsg(self->out.fd, self->out.heads, self->out.count, MSG_DONTWAIT);
    self->out.count = 0;
}

/* Put a response among those that go out together. */
static void queue(Forward *self, const waiter *to, size_t size, const uint8_t *response) {
    int fd = ((Drain *)to->drain)->fd;
    if (self->out.count && (self->out.fd != fd || self->out.count == DRAIN_BATCH))
        forward_flush(self);
    int at = self->out.count++;
    self->out.fd = fd;
    memcpy(self->out.responses[at], response, size);
    memcpy(&self->out.names[at], to->name, to->name_size);
    memcpy(self->out.control[at], to->control, to->control_size);
    self->out.vecs[at] = (struct iovec){self->out.responses[at], size};
    self->out.heads[at].msg_hdr = (struct msghdr){
        .msg_name = &self->out.names[at], .msg_namelen = to->name_size,
        .msg_iov = &self->out.vecs[at], .msg_iovlen = 1,
        .msg_control = self->out.control[at], .msg_controllen = to->control_size};
}

static void tell_waiter(Forward *self, waiter *to, const answer *found, size_t question,
                        int64_t now_us) {
    uint8_t response[REPLY_RESPONSE];
    int64_t now_ms = now_us / 1000;
    int64_t rules = to->until_ms - now_ms;
    size_t size = found->marks & REPLY_NEGATIVE
        ? reply_write_negative(to->query, question, to->variant, to->room, found->body,
                               found->body_size, found->marks, 0, seconds_of(rules), response)
        : reply_write(to->query, question, to->variant, to->room, found->body, found->body_size,
                      found->marks, shown((int64_t)found->ttl * 1000, rules), response);
    if (!size) { /* too long for it: what is left out is the handler's to say */
        to->next = self->flow.unfit;
        self->flow.unfit = to;
        return;
    }
    if (size && response[2] & 2) self->memo->table.counters[self->flow.at.truncated]++;
    source *from = memo_source(&self->memo->table, to->address, 0);
    if (from && !is_own(to->address) &&
        !source_release(from, size, now_ms, FORWARD_WINDOW_MS, FORWARD_BURST)) {
        size = reply_write(to->query, question, to->variant, to->room, NULL, 0, 0, 0, response);
        response[2] |= 2; /* who really asked comes by TCP */
        self->memo->table.counters[self->flow.at.truncated]++;
    }
    queue(self, to, size, response);
    count(self, self->flow.at.forwarded, to->tier, found->marks, now_us - to->arrived_us);
}

void forward_landed(forward *flow, pending *one, const answer *found, int64_t now_us) {
    Forward *self = flow->object;
    entry head = {.stored_ms = now_us / 1000, .question_size = one->question_size,
                  .reply_size = found->ttl ? found->body_size : 0, .tally = found->marks,
                  .again = 1};
    head.until_ms = head.stored_ms + (int64_t)found->ttl * 1000;
    for (waiter *each = one->waiting; each; each = each->next) {
        head.hits++;
        head.clients |= 1ull << (each->tag & 63);
    }
    self->memo->table.counters[flow->at.misses] += head.hits;
    if (head.hits) self->memo->table.counters[flow->at.joined] += head.hits - 1;
    if (one->held) memo_put(&flow->answers, &head, one->question, found->body);
    else memo_put_new(&flow->answers, &head, one->hash, one->question, found->body);
    waiter *waiting = one->waiting;
    one->waiting = NULL;
    while (waiting) {
        waiter *each = waiting;
        waiting = each->next;
        each->next = NULL;
        tell_waiter(self, each, found, one->question_size, now_us);
        if (flow->unfit != each) waiter_free(flow, each);
    }
}
