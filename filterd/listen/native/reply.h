/* Reading an upstream's reply and writing a client's response, on octets: no socket, no clock.
 *
 * Only the most frequent answer is read here: addresses of the very name that was asked. Whatever
 * is anything else (an alias, a negative answer, signatures, extended errors) is Python's to read,
 * so there is one place that decides about it (filterd.upstream.udp, filterd.resolve.answers).
 */
#ifndef FILTERD_REPLY_H
#define FILTERD_REPLY_H

#include <stddef.h>
#include <stdint.h>

enum {
    REPLY_RECORDS = 16, /* more addresses than this are Python's */
    REPLY_BODY = REPLY_RECORDS * 28,
    REPLY_RESPONSE = 12 + 260 + REPLY_BODY + 11,
    COOKIE_MOST = 40
};

/* FOREIGN: answers another question; ODD: Python says what it means; PLAIN: in `answer`. */
enum reply_kind { REPLY_FOREIGN, REPLY_ODD, REPLY_PLAIN };

typedef struct {
    uint32_t ttl; /* the least of all records, as it came */
    uint16_t body_size;
    uint8_t count, ad, cookie_size; /* the COOKIE option as it came; 0: none */
    uint8_t cookie[COOKIE_MOST];
    uint8_t body[REPLY_BODY]; /* records whose owner points to the question; TTLs are 0 */
} answer;

/* `question_size` octets of question stand at 12 in both; `query` is what was sent. */
enum reply_kind reply_read(const uint8_t *query, size_t question_size, const uint8_t *reply,
                           size_t size, answer *found);

/* Whether a 4- or 16-octet address belongs inside a network (filterd.policy.addresses). */
int reply_internal(const uint8_t *address, size_t size);

/* The response to a plain client query; `variant` as in drain.h. Its size, or 0: does not fit. */
size_t reply_write(const uint8_t *query, size_t question_size, int variant, size_t room,
                   const uint8_t *body, size_t body_size, int ad, uint32_t ttl, uint8_t *out);

#endif
