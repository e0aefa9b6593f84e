/* The drain loop on one UDP socket: batches in, memoised responses out, the rest for Python. */
#ifndef FILTERD_DRAIN_H
#define FILTERD_DRAIN_H

#include <sys/socket.h>

#include "memo.h"

enum {
    DRAIN_BATCH = 64,
    DRAIN_DATAGRAM = 4096, /* a longer query is cut and then fails to parse */
    DRAIN_CONTROL = 64     /* room for one IP_PKTINFO or IPV6_PKTINFO */
};

/* Variants of a response: what of the query besides its question shows in it. */
enum { WITH_OPT = 1, WITH_DO = 2, WITH_CD = 4, WITH_AD = 8 };

/* Write the response to `query` into `out` (DRAIN_DATAGRAM octets); 0: Python's to answer. */
size_t drain_answer(memo *table, const uint8_t *query, size_t size, const uint8_t *address,
                    int64_t now_ms, uint8_t *out);

/* The 16-octet form (IPv4 mapped) in which sources are kept. */
void drain_address(const struct sockaddr_storage *from, uint8_t *address);

#endif
