/* See lanes.h. */
#define _GNU_SOURCE
#include "lanes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static void fill(lane *one, int64_t now_ms) {
    one->opens += (double)(now_ms - one->filled_ms) * LANE_OPENS / 1000;
    if (one->opens > LANE_BURST) one->opens = LANE_BURST;
    one->filled_ms = now_ms;
}

static void set_place(port *one, unsigned at) {
    one->place_low = at & 255;
    one->place_high = at >> 8;
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

int lane_depart(lane *one) {
    struct mmsghdr heads[LANE_SLOTS];
    struct iovec vecs[LANE_SLOTS];
    unsigned count = one->queued, gone = 0;
    one->queued = 0;
    for (unsigned at = 0; at < count; at++) {
        vecs[at] = (struct iovec){one->datagrams[at], one->sizes[at]};
        heads[at].msg_hdr = (struct msghdr){.msg_iov = &vecs[at], .msg_iovlen = 1};
    }
    while (gone < count) {
        int sent = sendmmsg(one->filling->fd, heads + gone, count - gone, MSG_DONTWAIT);
        if (sent > 0) gone += sent;
        else if (errno != EINTR) return one->filling->failed = errno, one->failed = 1, 0;
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
