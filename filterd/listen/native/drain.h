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

/* From this way in on responses are filled up for who asks: DoT, DoH (metrics.layout). */
enum { PADDED_FROM = 2 };

/* Variants of a response: what of the query besides its question shows in it; above, how it came. */
enum { WITH_OPT = 1, WITH_DO = 2, WITH_CD = 4, WITH_AD = 8, TRANSPORT_SHIFT = 4 };

/* A client's query; below the line what drain_answer reads in it. */
typedef struct {
    const uint8_t *query;
    size_t size;
    uint8_t address[16];
    int transport; /* 0: UDP; a stream has room for everything and no rate */
    size_t question_size, room; /* 0: not in the plainest form */
    int variant, padded; /* padded: it asks for padding */
    source *from;   /* NULL: not placed */
    entry *expired; /* what the memo knows, if that is too old; holds until the memo is changed */
    uint8_t question[MEMO_QUESTION + 8];
    uint64_t hash; /* of it among answers; told by forward_take */
    int held;      /* an answer to it is kept there, too old perhaps */
    int names_size; /* of its outline in `names`; -1: it has none */
    uint8_t names[OUTLINE_SIZE];
} asked;

/* Write the response into `out` (DRAIN_DATAGRAM octets); 0: the memo does not know it. */
size_t drain_answer(memo *table, asked *query, int64_t now_ms, uint8_t *out);

/* The 16-octet form (IPv4 mapped) in which sources are kept. */
void drain_address(const struct sockaddr_storage *from, uint8_t *address);

#endif
