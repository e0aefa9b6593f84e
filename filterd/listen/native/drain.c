/* The one decision of the native path: is this exact question memoised for this source? See drain.h.
 *
 * The Python path (filterd.resolve.handler) is the specification: whatever is not the plainest form
 * of a query (one question, no option in OPT but one Padding) is left to it.
 */
#include "drain.h"

#include <netinet/in.h>
#include <string.h>

#include "octets.h"
#include "padding.h"

enum { HEADER = 12, OPT_SIZE = 11, PLAIN_SIZE = 512, EDNS_SIZE = 1232 };

/* Lower-case the question into `lower`; its size, or 0 when it is no plain question. */
static size_t read_question(const uint8_t *query, size_t size, uint8_t *lower) {
    size_t at = HEADER;
    for (;;) {
        if (at >= size) return 0;
        size_t length = query[at];
        if (!length) break;
        if (length > 63 || at + length + 1 - HEADER > 254) return 0;
        at += length + 1;
    }
    size_t total = at + 5 - HEADER;
    if (at + 5 > size) return 0;
    for (size_t i = 0; i < total; i++) {
        uint8_t octet = query[HEADER + i];
        lower[i] = octet + ((uint8_t)(octet - 'A') < 26 ? 32 : 0);
    }
    memcpy(lower + total - 4, query + at + 1, 4); /* type and class are not letters */
    return total;
}

/* Whether RDATA of so many octets is one Padding option (RFC 7830 §3). */
static int is_padding(const uint8_t *data, size_t size) {
    return size >= 4 && get16(data) == PADDING_CODE && get16(data + 2) == size - 4;
}

/* The variant and the size the client takes; -1: leave it to Python. */
static int read_form(const uint8_t *query, size_t size, size_t question, asked *one) {
    const uint8_t *opt = query + HEADER + question;
    int variant = (query[3] & 0x10 ? WITH_CD : 0) | (query[3] & 0x20 ? WITH_AD : 0);
    if (query[2] != 1 || query[4] || query[5] != 1) return -1; /* a query with RD; QDCOUNT 1 */
    if (query[6] | query[7] | query[8] | query[9] | query[10]) return -1;
    one->room = PLAIN_SIZE;
    one->padded = 0;
    if (!query[11]) return HEADER + question == size ? variant : -1;
    if (query[11] != 1 || HEADER + question + OPT_SIZE > size) return -1;
    size_t options = size - HEADER - question - OPT_SIZE;
    if (opt[0] || opt[1] || opt[2] != 41 || opt[6]) return -1; /* version */
    if (get16(opt + 9) != options) return -1;
    if (options && !is_padding(opt + OPT_SIZE, options)) return -1;
    one->padded = options != 0;
    size_t offered = get16(opt + 3);
    one->room = offered < PLAIN_SIZE ? PLAIN_SIZE : offered > EDNS_SIZE ? EDNS_SIZE : offered;
    return variant | WITH_OPT | (opt[7] & 0x80 ? WITH_DO : 0);
}

static size_t repeat(memo *table, entry *found, const asked *one, int64_t now_ms, uint8_t *out) {
    memcpy(out, found->bytes + found->question_size, found->reply_size);
    memcpy(out, one->query, 2);
    memcpy(out + HEADER, one->query + HEADER, one->question_size); /* the client's case (0x20) */
    uint32_t age = (now_ms - found->stored_ms) / 1000;
    for (int i = 0; age && i < found->ttl_count; i++) {
        uint8_t *ttl = out + found->ttls[i];
        uint32_t left = get32(ttl);
        put32(ttl, left > age ? left - age : 0);
    }
    for (int i = 0; i < found->count_count; i++) table->counters[found->counts[i]]++;
    if (found->tally < MEMO_TALLIES) one->from->tallies[found->tally]++;
    found->clients |= 1ull << (one->from->tag & 63);
    found->hits++;
    found->uses++;
    found->used = 1;
    return found->reply_size;
}

/* What was judged about another name of which the lists say the same. */
static entry *find_alike(memo *table, asked *one, int64_t now_ms) {
    size_t size = one->question_size;
    if (table->names)
        one->names_size = outline_of(table->names, one->question, size - 4, one->names);
    if (one->names_size < 0) return NULL;
    entry *like = memo_alike(table, one->from->rules, one->variant, one->names, one->names_size,
                             one->question + size - 4);
    if (!like || like->until_ms <= now_ms) return NULL;
    like->used = 1;
    return memo_adopt(table, like, one->question, size);
}

size_t drain_answer(memo *table, asked *one, int64_t now_ms, uint8_t *out) {
    one->from = NULL;
    one->expired = NULL;
    one->names_size = -1;
    one->question_size = one->size < HEADER + 5 ? 0
        : read_question(one->query, one->size, one->question);
    if (!one->question_size) return 0;
    one->variant = read_form(one->query, one->size, one->question_size, one);
    if (one->variant < 0) return one->question_size = 0;
    one->variant |= one->transport << TRANSPORT_SHIFT;
    if (one->transport) one->room = UINT16_MAX;
    one->from = memo_source(table, one->address, 0);
    if (!one->from) return 0;
    entry *found =
        memo_get(table, one->from->rules, one->variant, one->question, one->question_size);
    if (!found || found->until_ms <= now_ms) {
        entry *like = find_alike(table, one, now_ms);
        if (!like) return one->expired = found, 0;
        found = like;
    }
    int filled = one->padded && one->transport >= PADDED_FROM;
    if (found->reply_size > one->room) return 0;
    if (filled && found->reply_size > DRAIN_DATAGRAM - PADDING_MOST) return 0;
    if (!one->transport && !source_spend(one->from, now_ms)) return 0;
    size_t size = repeat(table, found, one, now_ms, out);
    return filled ? padding_fill(out, size) : size;
}

void drain_address(const struct sockaddr_storage *from, uint8_t *address) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (from->ss_family == AF_INET) {
        memcpy(address, mapped, 12);
        memcpy(address + 12, &((const struct sockaddr_in *)from)->sin_addr, 4);
    } else {
        memcpy(address, &((const struct sockaddr_in6 *)from)->sin6_addr, 16);
    }
}
