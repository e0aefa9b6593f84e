/* Sockets to upstreams: connected, on ports the kernel draws, and never the same for long.
 *
 * A question gets a socket of its own, closed with its reply. Only when questions come faster than
 * sockets may be opened (LANE_OPENS a second) do they share those that are open, at random; such a
 * socket lives for LANE_LIFE_MS or LANE_USES questions, so nobody can find its port out in time.
 * What comes at once then leaves together by one of them, LANE_SLOTS at most: a stranger has to
 * guess each question's port and id as before. Runs of one size leave as one message that
 * the kernel takes apart: that costs 0.5 µs a question instead of 1.4.
 */
#ifndef FILTERD_LANES_H
#define FILTERD_LANES_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
    LANES = 4,          /* upstreams that may be asked at a time */
    LANE_PORTS = 512,   /* sockets open to one upstream */
    LANE_SLOTS = 16,    /* questions under way on one socket */
    LANE_USES = 64,     /* questions in a socket's life */
    LANE_OPENS = 1000,  /* sockets opened a second, in bursts of LANE_BURST */
    LANE_BURST = 256,
    LANE_LIFE_MS = 200,
    LANE_WAIT_MS = 2000, /* a reply later than this is nobody's */
    LANE_COOKIE = 40,
    LANE_DATAGRAM = 336, /* a query */
    WRONG_IDS = 2        /* guesses after which a socket is given up (as upstream.udp does) */
};

struct pending;

/* A question under way; owner NULL: its reply is not waited for any more. */
typedef struct {
    struct pending *owner;
    int64_t sent_ms;
    uint16_t id;
} slot;

typedef struct port {
    struct port *dead; /* the next to be freed, after the turn in which it was closed */
    struct lane *lane;
    int64_t opened_ms;
    int fd, failed; /* -1: closed; why it cannot send, 0: it can */
    uint16_t uses;
    uint8_t taken, wrong, place_low, place_high;
    slot slots[LANE_SLOTS];
} port;

/* One upstream, and what was seen of it since Python last asked. */
typedef struct lane {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } to;
    socklen_t to_size;
    uint8_t cookie[LANE_COOKIE], cookie_size, keeps_case;
    uint8_t learnt, failed; /* a new server cookie; a socket cannot send */
    int8_t joins; /* whether what leaves together may be handed to the kernel as one; 0: not known */
    int64_t patience_ms;
    double opens; /* sockets that may be opened now */
    int64_t filled_ms;
    unsigned live;
    port *ports[LANE_PORTS];
    port *filling; /* what is queued leaves by it */
    unsigned queued;
    uint16_t sizes[LANE_SLOTS];
    uint8_t datagrams[LANE_SLOTS][LANE_DATAGRAM];
    uint32_t sent, replies, wrong_ids, malformed;
    uint64_t rtt_us, outrun_us; /* sums: of replies, and of waiting for what another answered */
} lane;

/* A socket with a free slot, or NULL with errno set; what was queued for another has left. */
port *lane_port(lane *one, int epoll, uint32_t chance, int64_t now_ms);
/* Let a datagram leave by the socket that `lane_port` just gave. */
void lane_queue(lane *one, port *by, const uint8_t *datagram, size_t size);
/* Send what is queued; 0: a socket cannot, and has `failed` now. */
int lane_depart(lane *one);
void port_close(port *one, port **dead);
/* Close it if it has done its work. */
void port_rest(port *one, int64_t now_ms, port **dead);
slot *port_slot(port *one, uint16_t id);
/* Close what is old, forget what nobody answers. */
void lane_tidy(lane *one, int64_t now_ms, port **dead);

#endif
