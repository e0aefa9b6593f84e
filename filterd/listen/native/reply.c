/* See reply.h. Every read is behind a check of what is left. */
#include "reply.h"

#include <string.h>

#include "drain.h"
#include "octets.h"

enum { HEADER = 12, FIXED = 10, TYPE_A = 1, TYPE_NS = 2, TYPE_SOA = 6, TYPE_AAAA = 28, TYPE_OPT = 41, OPTION_COOKIE = 10, NXDOMAIN = 3 };

static int internal4(const uint8_t *a) {
    if (a[0] == 0 || a[0] == 10 || a[0] == 127 || a[0] >= 224) return 1;
    if (a[0] == 172) return (a[1] & 0xf0) == 16;
    if (a[0] == 192) return a[1] == 168;
    if (a[0] == 169) return a[1] == 254;
    return a[0] == 100 && (a[1] & 0xc0) == 64;
}

/* IPv4 inside IPv6: mapped, compatible, translated (RFC 4291, RFC 6052, RFC 8215). */
static int wrapped4(const uint8_t *a) {
    static const uint8_t heads[][12] = {{0},
                                        {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff},
                                        {0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0},
                                        {0, 0x64, 0xff, 0x9b}};
    static const uint8_t local[6] = {0, 0x64, 0xff, 0x9b, 0, 1};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (!memcmp(a, heads[i], 12)) return internal4(a + 12);
    return !memcmp(a, local, sizeof local);
}

int reply_internal(const uint8_t *a, size_t size) {
    if (size == 4) return internal4(a);
    if (size != 16) return 1;
    if ((a[0] & 0xfe) == 0xfc || a[0] == 0xff || (a[0] == 0xfe && a[1] >= 0x80)) return 1;
    if (!a[0]) return wrapped4(a);
    return a[0] == 0x20 && a[1] == 2 && internal4(a + 2); /* 6to4, RFC 3056 */
}

static int same_but_case(const uint8_t *one, const uint8_t *other, size_t size) {
    for (size_t i = 0; i < size; i++) {
        uint8_t a = one[i], b = other[i];
        if (a != b && ((a ^ b) != 32 || (uint8_t)((a | 32) - 'a') > 25)) return 0;
    }
    return 1;
}

/* The OPT at `at`, which must be the message's end: nothing in it but a COOKIE. */
static int plain_opt(const uint8_t *reply, size_t size, size_t at, answer *found) {
    if (size - at < 1 + FIXED || reply[at] || get16(reply + at + 1) != TYPE_OPT) return 0;
    if (reply[at + 5] || reply[at + 6]) return 0; /* a higher rcode, another version */
    size_t length = get16(reply + at + 9);
    const uint8_t *option = reply + at + 1 + FIXED;
    if (size - at - 1 - FIXED != length) return 0;
    if (!length) return 1;
    if (length < 4 || get16(option) != OPTION_COOKIE || get16(option + 2) != length - 4) return 0;
    if (length - 4 > COOKIE_MOST) return 0;
    found->cookie_size = length - 4;
    memcpy(found->cookie, option + 4, length - 4);
    return 1;
}

/* One address record of the question's own name; where it ends, or 0. */
static size_t read_address(const uint8_t *reply, size_t size, size_t at, unsigned type,
                           answer *found) {
    size_t width = type == TYPE_A ? 4 : 16, whole = 2 + FIXED + width;
    const uint8_t *record = reply + at;
    if (size - at < whole || record[0] != 0xc0 || record[1] != HEADER) return 0;
    if (get16(record + 2) != type || get16(record + 4) != 1 || get16(record + 10) != width) return 0;
    if (reply_internal(record + 12, width)) return 0;
    for (size_t other = 12; other < found->body_size; other += whole)
        if (!memcmp(found->body + other, record + 12, width)) return 0;
    uint32_t ttl = get32(record + 6);
    if (ttl > 0x7fffffff) ttl = 0; /* RFC 2181 section 8 */
    if (ttl < found->ttl) found->ttl = ttl;
    memcpy(found->body + found->body_size, record, whole);
    memset(found->body + found->body_size + 6, 0, 4);
    found->body_size += whole;
    return at + whole;
}

/* --- that there is none ------------------------------------------------------------------- */

enum { MOST_HOPS = 8, PLACES = 4096, NEGATIVE_MOST = 3600 };

/* Where the labels of names begin: nothing else may be pointed to, so that no name changes when a TTL
 * does. */
typedef struct {
    uint8_t bits[PLACES / 8];
} starts;

static int begins(const starts *known, size_t at) { return known->bits[at / 8] >> at % 8 & 1; }

/* Offset behind the name at `at`, which is noted; 0: malformed, or beyond what is read here. */
static size_t read_name(const uint8_t *reply, size_t size, size_t at, starts *known) {
    size_t end = 0, whole = 1;
    for (unsigned hops = 0; at < size && at < PLACES;) {
        unsigned length = reply[at];
        if (length >= 0xC0) {
            if (at + 1 >= size || ++hops > MOST_HOPS) return 0;
            size_t target = get16(reply + at) & 0x3fff;
            if (target >= at || !begins(known, target)) return 0;
            end = end ? end : at + 2;
            at = target;
            continue;
        }
        if (length > 63 || (whole += length + (length > 0)) > 255) return 0;
        if (!end) known->bits[at / 8] |= 1 << at % 8;
        if (!length) return end ? end : at + 1;
        at += length + 1;
    }
    return 0;
}

/* Offset behind the data of an SOA or NS record; 0: malformed. */
static size_t read_data(const uint8_t *reply, size_t size, size_t at, unsigned type, starts *known) {
    if (!(at = read_name(reply, size, at, known)) || type == TYPE_NS) return at;
    at = read_name(reply, size, at, known);
    return at && size - at >= 20 ? at + 20 : 0;
}

/* One record of the authority section at `at`, of the same set as the first at `first`; where it
 * ends, or 0. */
static size_t read_authority(const uint8_t *reply, size_t size, size_t first, size_t at,
                             starts *known) {
    size_t owner = read_name(reply, size, at, known);
    if (!owner || size - owner < FIXED) return 0;
    size_t like = reply_ttl_at(reply, first) - 4; /* where the first one's type stands */
    unsigned type = get16(reply + owner), length = get16(reply + owner + 8);
    if ((type != TYPE_SOA && type != TYPE_NS) || get16(reply + owner + 2) != 1) return 0;
    if (owner - at != like - first || memcmp(reply + at, reply + first, owner + 8 - at)) return 0;
    if (size - owner - FIXED < length) return 0;
    size_t end = read_data(reply, size, owner + FIXED, type, known);
    return end == owner + FIXED + length ? end : 0;
}

/* The whole authority section: one SOA, or servers of one name, or nothing; where it ends, or 0. */
static size_t read_negative(const uint8_t *reply, size_t size, size_t question, answer *found) {
    starts known = {{0}};
    unsigned records = get16(reply + 8);
    size_t first = HEADER + question, at = first;
    if (records > REPLY_SERVERS || read_name(reply, first, HEADER, &known) != first - 4) return 0;
    for (unsigned i = 0; i < records; i++)
        if (!(at = read_authority(reply, size, first, at, &known)) || at - first > REPLY_BODY) return 0;
    found->ttl = 0; /* without an SOA it is not kept (RFC 2308 section 5) */
    if (records && get16(reply + reply_ttl_at(reply, first) - 4) == TYPE_SOA) {
        if (records > 1) return 0;
        uint32_t ttl = get32(reply + reply_ttl_at(reply, first)), least = get32(reply + at - 4);
        found->ttl = ttl < least ? ttl : least;
        if (found->ttl > NEGATIVE_MOST) found->ttl = NEGATIVE_MOST;
    }
    found->body_size = at - first;
    memcpy(found->body, reply + first, found->body_size);
    return at;
}

size_t reply_ttl_at(const uint8_t *records, size_t at) {
    while (records[at] && records[at] < 0xC0) at += records[at] + 1;
    return at + (records[at] ? 2 : 1) + 4;
}

size_t reply_next(const uint8_t *records, size_t at) {
    size_t ttl = reply_ttl_at(records, at);
    return ttl + 6 + get16(records + ttl + 4);
}

/* --- the whole ---------------------------------------------------------------------------- */

static enum reply_kind fit(const uint8_t *query, size_t question, const uint8_t *reply, size_t size) {
    if (size < HEADER || (reply[2] & 0xf8) != 0x80) return REPLY_FOREIGN;
    if (size == HEADER) return REPLY_ODD; /* an old server's refusal of OPT, perhaps */
    if (get16(reply + 4) != 1 || size < HEADER + question) return REPLY_FOREIGN;
    if (memcmp(reply + HEADER + question - 4, query + HEADER + question - 4, 4)) return REPLY_FOREIGN;
    if (!same_but_case(reply + HEADER, query + HEADER, question - 4)) return REPLY_FOREIGN;
    return memcmp(reply + HEADER, query + HEADER, question) ? REPLY_ODD : REPLY_PLAIN;
}

enum reply_kind reply_read(const uint8_t *query, size_t question, const uint8_t *reply, size_t size,
                           answer *found) {
    enum reply_kind kind = fit(query, question, reply, size);
    if (kind != REPLY_PLAIN) return kind;
    unsigned type = get16(query + HEADER + question - 4), records = get16(reply + 6);
    if (type != TYPE_A && type != TYPE_AAAA) return REPLY_ODD;
    unsigned rcode = reply[3] & 15;
    if (reply[2] & 2 || records > REPLY_RECORDS || get16(reply + 10) > 1) return REPLY_ODD;
    if (rcode && (rcode != NXDOMAIN || records)) return REPLY_ODD;
    if (records && get16(reply + 8)) return REPLY_ODD;
    found->ttl = 0x7fffffff;
    found->body_size = found->cookie_size = 0;
    found->count = records;
    found->marks = (reply[3] >> 5 & 1 ? REPLY_AD : 0) | (rcode ? REPLY_NXDOMAIN : 0) |
                   (records ? 0 : REPLY_NEGATIVE);
    size_t at = HEADER + question;
    if (!records && !(at = read_negative(reply, size, question, found))) return REPLY_ODD;
    for (unsigned i = 0; i < records; i++)
        if (!(at = read_address(reply, size, at, type, found))) return REPLY_ODD;
    if (!get16(reply + 10)) return at == size ? REPLY_PLAIN : REPLY_ODD;
    return plain_opt(reply, size, at, found) ? REPLY_PLAIN : REPLY_ODD;
}

size_t reply_write(const uint8_t *query, size_t question, int variant, size_t room,
                   const uint8_t *body, size_t body_size, int ad, uint32_t ttl, uint8_t *out) {
    static const uint8_t opt[11] = {0, 0, TYPE_OPT, 0x04, 0xd0};
    size_t records = HEADER + question, end = records + body_size;
    size_t stride = 12 + (get16(query + records - 4) == TYPE_A ? 4 : 16);
    if (end + (variant & WITH_OPT ? sizeof opt : 0) > room) return 0;
    memcpy(out, query, records);
    out[2] = 0x81; /* QR, RD */
    out[3] = 0x80 | (variant & WITH_CD ? 0x10 : 0) |
             (ad && variant & (WITH_AD | WITH_DO) ? 0x20 : 0);
    memset(out + 4, 0, 8);
    out[5] = 1;
    out[7] = body_size / stride;
    if (body_size) memcpy(out + records, body, body_size);
    for (size_t at = records + 6; at < end; at += stride) put32(out + at, ttl);
    if (!(variant & WITH_OPT)) return end;
    out[11] = 1;
    memcpy(out + end, opt, sizeof opt);
    if (variant & WITH_DO) out[end + 7] = 0x80;
    return end + sizeof opt;
}

size_t reply_write_negative(const uint8_t *query, size_t question, int variant, size_t room,
                            const uint8_t *body, size_t body_size, int marks, uint32_t age,
                            uint32_t most, uint8_t *out) {
    size_t first = HEADER + question;
    int cut = first + body_size + (variant & WITH_OPT ? 11 : 0) > room;
    size_t size = reply_write(query, question, variant, UINT16_MAX, body, 0, marks & REPLY_AD, 0, out);
    size_t opt = size - first;
    if (marks & REPLY_NXDOMAIN) out[3] |= NXDOMAIN;
    if (cut) return out[2] |= 2, size;
    memmove(out + first + body_size, out + first, opt);
    memcpy(out + first, body, body_size);
    for (size_t at = 0; at < body_size; at = reply_next(body, at)) {
        uint8_t *ttl = out + first + reply_ttl_at(body, at);
        uint32_t left = get32(ttl) > age ? get32(ttl) - age : 0;
        if (left > most) left = most;
        put32(ttl, left);
        out[9]++;
    }
    return size + body_size;
}
