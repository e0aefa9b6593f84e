/* See lanes.h. */
#define _GNU_SOURCE
#include "lanes.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
enum { UDP_SEGMENT = 103 }; /* linux/udp.h */
#endif

static void fill(lane *one, int64_t now_ms) {
    one->opens += (double)(now_ms - one->filled_ms) * LANE_OPENS / 1000;
    if (one->opens > LANE_BURST) one->opens = LANE_BURST;
    one->filled_ms = now_ms;
}

static void set_place(port *one, unsigned at) {
    one->place_low = at & 255;
    one->place_high = at >> 8;
}

/* Whether this kernel takes runs apart: one that does not would send them as they are. */
static int can_join(int fd) {
    int size;
    socklen_t room = sizeof size;
    return !getsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, &room);
}

static port *open_port(lane *one, int epoll, int64_t now_ms) {
    port *made = calloc(1, sizeof *made);
    if (!made) return NULL;
    made->fd = socket(one->to.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = made};
    if (made->fd < 0 || connect(made->fd, &one->to.any, one->to_size) ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, made->fd, &event)) {
        int saved = errno;
        if (made->fd >= 0) close(made->fd);
        free(made);
        errno = saved;
        return NULL;
    }
    if (!one->joins) one->joins = can_join(made->fd) ? 1 : -1;
    made->lane = one;
    made->opened_ms = now_ms;
    set_place(made, one->live);
    one->ports[one->live++] = made;
    one->opens -= 1;
    return made;
}

static int has_room(const port *one, int64_t now_ms) {
    return one->taken < LANE_SLOTS && one->uses < LANE_USES && !one->wrong && !one->failed &&
           now_ms - one->opened_ms < LANE_LIFE_MS;
}

/* Of four drawn at random the one with the most room; NULL: none has any. */
static port *draw_port(const lane *one, uint32_t chance, int64_t now_ms) {
    port *best = NULL;
    for (unsigned i = 0; i < 4; i++) {
        port *found = one->ports[(chance + i * 0x9e3779b9u) % one->live];
        if (has_room(found, now_ms) && (!best || found->taken < best->taken)) best = found;
    }
    return best;
}

port *lane_port(lane *one, int epoll, uint32_t chance, int64_t now_ms) {
    fill(one, now_ms);
    if (one->opens < 1 && one->queued && has_room(one->filling, now_ms)) return one->filling;
    lane_depart(one);
    port *found = one->opens < 1 && one->live ? draw_port(one, chance, now_ms) : NULL;
    if (found) return found;
    if (one->live == LANE_PORTS) return errno = EAGAIN, NULL;
    return open_port(one, epoll, now_ms);
}

void lane_queue(lane *one, port *by, const uint8_t *datagram, size_t size) {
    one->filling = by;
    one->sizes[one->queued] = size;
    memcpy(one->datagrams[one->queued++], datagram, size);
}

/* --- leaving ------------------------------------------------------------------------------ */

/* What is queued, in the order in which it leaves; a message is one datagram, or a run of them that the
 * kernel takes apart (UDP_SEGMENT, udp(7)): all of one size, the last one may be shorter. */
typedef struct {
    struct iovec vecs[LANE_SLOTS];
    struct mmsghdr heads[LANE_SLOTS];
    union {
        struct cmsghdr head;
        uint8_t octets[CMSG_SPACE(sizeof(uint16_t))];
    } sizes[LANE_SLOTS];
} departure;

/* The longest first, so that few runs take them all. */
static void line_up(lane *one, departure *of) {
    for (unsigned next = 0; next < one->queued; next++) {
        unsigned at = next;
        for (; at && of->vecs[at - 1].iov_len < one->sizes[next]; at--) of->vecs[at] = of->vecs[at - 1];
        of->vecs[at] = (struct iovec){one->datagrams[next], one->sizes[next]};
    }
}

/* The message that begins with datagram `first` of `count`; how many it takes. */
static unsigned put_run(departure *of, struct mmsghdr *to, unsigned first, unsigned count) {
    size_t size = of->vecs[first].iov_len;
    unsigned end = first + 1;
    while (end < count && of->vecs[end].iov_len == size) end++;
    if (end < count) end++;
    to->msg_hdr = (struct msghdr){.msg_iov = of->vecs + first, .msg_iovlen = end - first};
    if (end - first == 1) return 1;
    struct cmsghdr *said = &of->sizes[first].head;
    uint16_t each = size;
    *said = (struct cmsghdr){CMSG_LEN(sizeof each), IPPROTO_UDP, UDP_SEGMENT};
    memcpy(CMSG_DATA(said), &each, sizeof each);
    to->msg_hdr.msg_control = said;
    to->msg_hdr.msg_controllen = CMSG_SPACE(sizeof each);
    return end - first;
}

/* Messages for the datagrams from `first` on; how many. */
static unsigned put_messages(const lane *one, departure *of, unsigned first, unsigned count) {
    unsigned messages = 0;
    for (unsigned at = first; at < count; messages++)
        at += put_run(of, &of->heads[messages], at, one->joins > 0 ? count : at + 1);
    return messages;
}

/* The way there may not allow it: no checksums by the device (before Linux 6.11), IPsec, a small MTU. */
static int is_against_runs(int number) {
    return number == EIO || number == EINVAL || number == EMSGSIZE || number == EOPNOTSUPP;
}

int lane_depart(lane *one) {
    departure of;
    unsigned count = one->queued, gone = 0;
    line_up(one, &of);
    one->queued = 0;
    while (gone < count) {
        unsigned messages = put_messages(one, &of, gone, count);
        int sent = sendmmsg(one->filling->fd, of.heads, messages, MSG_DONTWAIT);
        for (int at = 0; at < sent; at++) gone += of.heads[at].msg_hdr.msg_iovlen;
        if (sent > 0 || errno == EINTR) continue;
        if (one->joins <= 0 || !is_against_runs(errno))
            return one->filling->failed = errno, one->failed = 1, 0;
        one->joins = -1; /* one by one then */
    }
    return 1;
}

void port_close(port *one, port **dead) {
    lane *from = one->lane;
    unsigned at = one->place_low | one->place_high << 8;
    if (one->fd < 0) return;
    close(one->fd); /* leaves the epoll by itself */
    one->fd = -1;
    from->ports[at] = from->ports[--from->live];
    set_place(from->ports[at], at);
    one->dead = *dead;
    *dead = one;
}

void port_rest(port *one, int64_t now_ms, port **dead) {
    if (one->fd < 0 || one->taken) return;
    fill(one->lane, now_ms);
    if (one->lane->opens >= LANE_BURST / 2 || !has_room(one, now_ms)) port_close(one, dead);
}

slot *port_slot(port *one, uint16_t id) {
    for (int i = 0; i < LANE_SLOTS; i++)
        if (one->slots[i].sent_ms && one->slots[i].id == id) return &one->slots[i];
    return NULL;
}

void lane_tidy(lane *one, int64_t now_ms, port **dead) {
    for (unsigned at = one->live; at-- > 0;) {
        port *each = one->ports[at];
        for (int i = 0; i < LANE_SLOTS; i++) {
            slot *late = &each->slots[i];
            if (late->sent_ms && !late->owner && now_ms - late->sent_ms > LANE_WAIT_MS)
                late->sent_ms = 0, each->taken--;
        }
        port_rest(each, now_ms, dead);
    }
}
