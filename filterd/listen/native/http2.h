/* One HTTP/2 connection of a DoH client on libnghttp2: what the memo knows is answered here, the
 * other requests are Python's. `filterd.listen.http2.Http2` is the specification.
 */
#ifndef FILTERD_HTTP2_H
#define FILTERD_HTTP2_H

#include "objects.h"
#include "http2_library.h"

/* As in filterd/listen/http2.py and http_dns.py, which say why. */
enum {
    HTTP2_STREAMS = 100,
    HTTP2_HEADER_OCTETS = 8192,
    HTTP2_BODY = 8192,
    HTTP2_RESETS = 100,
    HTTP2_HELD = 262144,
    HTTP2_TARGET = 2048,
    HTTP2_WORD = 63 /* of a method and a media type that mean something here */
};

typedef struct request {
    struct request *next, **link;
    int32_t stream;
    double begun;
    size_t header_octets, target_size, body_size, answer_size, answer_at;
    uint8_t *body, *answer;
    char *target, method[HTTP2_WORD + 1], media_type[HTTP2_WORD + 1];
    uint8_t complete, answered, too_long, refused;
} request;

typedef struct {
    PyObject_HEAD
    const http2_library *library;
    nghttp2_session *session;
    Memo *memo; /* NULL: everything is Python's */
    uint8_t address[16];
    request *requests;
    PyObject *asked; /* a list while `receive` is at work */
    double now;
    size_t held; /* octets of answers that the client's window does not take yet */
    int resets, dead;
} Http2;

/* Answer from the memo: 1 if it could. */
int http2_repeat(Http2 *self, request *one);

/* Answer; `headers` begin with :status, there is room for content-length behind them. Takes over `body` (malloc). */
void http2_answer(Http2 *self, request *one, http2_header *headers, size_t count, uint8_t *body,
                  size_t size);

/* Seconds for which a DNS response is fresh (RFC 8484 §5.1), as http_dns.max_age says. */
uint32_t http2_freshness(const uint8_t *reply, size_t size);

extern PyType_Spec http2_spec;

#endif
