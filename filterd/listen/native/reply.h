/* Reading an upstream's reply and writing a client's response, on octets: no socket, no clock.
 *
 * Only the most frequent answers are read here: addresses of the very name that was asked, and that
 * there are none (one SOA, the servers of a referral, or nothing). Whatever is anything else (an
 * alias, signatures, extended errors) is Python's to read, so there is one place that decides about
 * it (filterd.upstream.udp, filterd.resolve.answers).
 */
#ifndef FILTERD_REPLY_H
#define FILTERD_REPLY_H

#include <stddef.h>
#include <stdint.h>

enum {
    REPLY_RECORDS = 16, /* more addresses than this are Python's */
    REPLY_SERVERS = 64,
    REPLY_BODY = 1216, /* of a response of 1232 octets; addresses take 16 × 28 */
    REPLY_RESPONSE = 12 + 260 + REPLY_BODY + 11,
    COOKIE_MOST = 40
};

/* FOREIGN: answers another question; ODD: Python says what it means; PLAIN: in `answer`. */
enum reply_kind { REPLY_FOREIGN, REPLY_ODD, REPLY_PLAIN };

enum { REPLY_AD = 1, REPLY_NXDOMAIN = 2, REPLY_NEGATIVE = 4 }; /* marks of an answer */

typedef struct {
    uint32_t ttl; /* how long it may be kept: the least of all records, as it came */
    uint16_t body_size;
    uint8_t count, marks, cookie_size; /* the COOKIE option as it came; 0: none */
    uint8_t cookie[COOKIE_MOST];
    /* Addresses: records whose owner points to the question, with TTLs of 0. Negative: the authority
     * section as it came; names in it point to the question or to each other. */
    uint8_t body[REPLY_BODY];
} answer;

/* `question_size` octets of question stand at 12 in both; `query` is what was sent. */
enum reply_kind reply_read(const uint8_t *query, size_t question_size, const uint8_t *reply,
                           size_t size, answer *found);

/* Whether a 4- or 16-octet address belongs inside a network (filterd.policy.addresses). */
int reply_internal(const uint8_t *address, size_t size);

/* The response to a plain client query; `variant` as in drain.h. Its size, or 0: does not fit. */
size_t reply_write(const uint8_t *query, size_t question_size, int variant, size_t room,
                   const uint8_t *body, size_t body_size, int ad, uint32_t ttl, uint8_t *out);

/* The same of a negative answer, with its own TTLs less `age` and at most `most`. What does not fit
 * leaves TC in its place. */
size_t reply_write_negative(const uint8_t *query, size_t question_size, int variant, size_t room,
                            const uint8_t *body, size_t body_size, int marks, uint32_t age,
                            uint32_t most, uint8_t *out);

/* Where the TTL of the record at `at` stands among records that were read; and the next record. */
size_t reply_ttl_at(const uint8_t *records, size_t at);
size_t reply_next(const uint8_t *records, size_t at);

#endif
