/* Requests that the memo answers, and how any answer goes out. See http2.h. */
#include "http2.h"
#include "octets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DOH = 3, SOA = 6, NXDOMAIN = 3, ADDED = 1 };

#define HEADER(name, value, size, flags)                                                           \
    (http2_header) { (const uint8_t *)(name), (const uint8_t *)(value), sizeof(name) - 1, size, flags }

uint32_t http2_freshness(const uint8_t *reply, size_t size) {
    uint32_t lowest = UINT32_MAX;
    if (size < 12 || ((reply[3] & 15) && (reply[3] & 15) != NXDOMAIN)) return 0;
    unsigned answers = get16(reply + 6), more = get16(reply + 8);
    size_t at = behind_name(reply, size, 12) + 4;
    for (unsigned number = 0; number < answers + more; number++) {
        at = behind_name(reply, size, at);
        if (at + 10 > size) return 0;
        unsigned type = get16(reply + at);
        size_t length = get16(reply + at + 8);
        uint32_t ttl = get32(reply + at + 4);
        at += 10 + length;
        if (at > size) return 0;
        if (number >= answers) {
            if (type != SOA || length < 4) continue;
            uint32_t negative = get32(reply + at - 4);
            if (negative < ttl) ttl = negative;
        }
        if (ttl < lowest) lowest = ttl;
    }
    return lowest == UINT32_MAX ? 0 : lowest;
}

/* Give nghttp2 as much of the answer as it has room for. */
static ssize_t read_answer(nghttp2_session *session, int32_t stream, uint8_t *out, size_t room,
                           uint32_t *flags, http2_source *source, void *given) {
    Http2 *self = given;
    request *one = source->ptr;
    size_t left = one->answer_size - one->answer_at, size = left < room ? left : room;
    (void)session, (void)stream;
    memcpy(out, one->answer + one->answer_at, size);
    one->answer_at += size;
    self->held -= size;
    if (size == left) *flags |= HTTP2_EOF;
    return size;
}

void http2_answer(Http2 *self, request *one, http2_header *headers, size_t count, uint8_t *body,
                  size_t size) {
    char length[24];
    int bodiless = !size || !strcmp(one->method, "HEAD");
    headers[count] = HEADER("content-length", length, snprintf(length, sizeof length, "%zu", size),
                            HTTP2_NO_INDEX);
    http2_body provider = {.source.ptr = one, .read = read_answer};
    one->answered = 1;
    if (bodiless) {
        free(body);
    } else {
        one->answer = body;
        one->answer_size = size;
        self->held += size;
    }
    self->dead |= !!self->library->response(self->session, one->stream, headers, count + ADDED,
                                            bodiless ? NULL : &provider);
}

/* The value of a letter of base64url (RFC 4648 §5), or -1. */
static int value_of(char letter) {
    if (letter >= 'A' && letter <= 'Z') return letter - 'A';
    if (letter >= 'a' && letter <= 'z') return letter - 'a' + 26;
    if (letter >= '0' && letter <= '9') return letter - '0' + 52;
    return letter == '-' ? 62 : letter == '_' ? 63 : -1;
}

/* Decode into `out`, which has three octets for every four letters; 0: Python looks at it. */
static size_t decode(const char *text, size_t size, uint8_t *out) {
    size_t filled = 0;
    uint32_t bits = 0;
    if (size % 4 == 1) return 0;
    for (size_t i = 0; i < size; i++) {
        int value = value_of(text[i]);
        if (value < 0) return 0;
        bits = bits << 6 | value;
        if (i % 4) out[filled++] = bits >> (6 - 2 * (i % 4));
    }
    return filled;
}

/* The DNS message of a request in its plainest form; its size, 0: Python looks at it. */
static size_t message(const request *one, uint8_t *room, const uint8_t **wire) {
    static const char path[] = "/dns-query", get[] = "/dns-query?dns=";
    size_t plain = sizeof path - 1, with = sizeof get - 1;
    if (one->too_long || !one->target || one->target_size > HTTP2_TARGET) return 0;
    if (!strcmp(one->method, "POST")) {
        if (one->target_size != plain || memcmp(one->target, path, plain) ||
            strcmp(one->media_type, "application/dns-message"))
            return 0;
        *wire = one->body;
        return one->body_size;
    }
    if (strcmp(one->method, "GET") || one->target_size <= with || memcmp(one->target, get, with))
        return 0;
    *wire = room;
    return decode(one->target + with, one->target_size - with, room);
}

int http2_repeat(Http2 *self, request *one) {
    uint8_t room[HTTP2_TARGET], reply[DRAIN_DATAGRAM];
    char freshness[40];
    asked query = {.transport = DOH};
    if (!self->memo || !(query.size = message(one, room, &query.query))) return 0;
    memcpy(query.address, self->address, 16);
    size_t size = drain_answer(&self->memo->table, &query, clock_us() / 1000, reply);
    uint8_t *body = size ? malloc(size) : NULL;
    if (!body) return 0;
    memcpy(body, reply, size);
    int written = snprintf(freshness, sizeof freshness, "private, max-age=%u",
                           http2_freshness(reply, size));
    http2_header headers[3 + ADDED] = {
        HEADER(":status", "200", 3, 0),
        HEADER("content-type", "application/dns-message", 23, 0),
        HEADER("cache-control", freshness, written, HTTP2_NO_INDEX),
    };
    http2_answer(self, one, headers, 3, body, size);
    return 1;
}
