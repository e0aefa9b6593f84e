/* A stub upstream for benchmarks: answers every question at once, so that it is never the limit.
 *
 * A -> 198.18.x.y, AAAA -> 2001:db8::x, anything else -> NODATA with an SOA; TTL 3600. The answer
 * depends on the name alone. UDP, and TCP for peers that ask as they were asked: a thread for each
 * connection. usage: stub PORT [PROCESSES that share the socket]
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 64, SIZE = 1024 };

static uint8_t queries[BATCH][SIZE], replies[BATCH][SIZE];

static void put16(uint8_t *at, unsigned value) { at[0] = value >> 8; at[1] = value & 255; }

/* Length of the reply written to `out`, or 0 for a datagram that is no plain query. */
static size_t answer(const uint8_t *in, size_t length, uint8_t *out) {
    size_t at = 12;
    uint32_t hash = 2166136261u;
    if (length < 17 || (in[2] & 0x80)) return 0;
    while (at < length && in[at]) {
        for (size_t end = at + in[at] + 1; at < end && at < length; at++)
            hash = (hash ^ (in[at] | 0x20)) * 16777619u;
    }
    if (at + 5 > length) return 0;
    unsigned type = in[at + 1] << 8 | in[at + 2];
    int opt = in[11] != 0;
    size_t size = at + 5;
    memcpy(out, in, size);
    out[2] = 0x80 | (in[2] & 1);
    out[3] = 0x80;
    memset(out + 6, 0, 6);
    if (type == 1 || type == 28) {
        size_t data = type == 1 ? 4 : 16;
        static const uint8_t net6[] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0};
        uint8_t *rr = out + size;
        put16(out + 6, 1);
        put16(rr, 0xc00c), put16(rr + 2, type), put16(rr + 4, 1);
        put16(rr + 6, 0), put16(rr + 8, 3600), put16(rr + 10, data);
        if (type == 1) rr[12] = 198, rr[13] = 18, rr[14] = hash >> 8, rr[15] = hash;
        else memcpy(rr + 12, net6, 12), memcpy(rr + 24, &hash, 4);
        size += 12 + data;
    } else {
        uint8_t *rr = out + size;
        put16(out + 8, 1);
        put16(rr, 0xc00c), put16(rr + 2, 6), put16(rr + 4, 1);
        put16(rr + 6, 0), put16(rr + 8, 300), put16(rr + 10, 22);
        memset(rr + 12, 0, 22);
        rr[16] = 1, rr[33] = 60;
        size += 34;
    }
    if (opt) {
        static const uint8_t rr[] = {0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 0};
        memcpy(out + size, rr, sizeof rr);
        out[11] = 1;
        size += sizeof rr;
    }
    return size;
}

/* Serve one connection until it ends or says something else than framed queries. */
static void *serve(void *given) {
    int fd = (int)(intptr_t)given;
    uint8_t head[2], query[SIZE], reply[SIZE + 2];
    while (recv(fd, head, 2, MSG_WAITALL) == 2) {
        ssize_t length = head[0] << 8 | head[1];
        if (length > SIZE - 64 || recv(fd, query, length, MSG_WAITALL) != length) break;
        size_t size = answer(query, length, reply + 2);
        put16(reply, size);
        if (!size || send(fd, reply, size + 2, MSG_NOSIGNAL) < 0) break;
    }
    close(fd);
    return NULL;
}

static void *accept_all(void *given) {
    pthread_t thread;
    for (;;) {
        int fd = accept((int)(intptr_t)given, NULL, NULL);
        if (fd >= 0 && !pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd))
            pthread_detach(thread);
    }
}

/* Listen on the same TCP port; 0 when it could not. */
static int listen_too(const struct sockaddr_in *self) {
    pthread_t thread;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (const void *)self, sizeof *self) || listen(fd, 128)) return 0;
    return !pthread_create(&thread, NULL, accept_all, (void *)(intptr_t)fd);
}

int main(int argc, char **argv) {
    struct sockaddr_in self = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_storage from[BATCH];
    struct mmsghdr in[BATCH] = {0}, out[BATCH] = {0};
    struct iovec in_vec[BATCH], out_vec[BATCH];
    int one = 4 << 20, fd = socket(AF_INET, SOCK_DGRAM, 0);
    int processes = argc == 3 ? atoi(argv[2]) : 1;
    if (argc < 2 || argc > 3) return fputs("usage: stub PORT [PROCESSES]\n", stderr), 2;
    self.sin_port = htons(atoi(argv[1]));
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &one, sizeof one);
    if (bind(fd, (void *)&self, sizeof self)) return perror("bind"), 1;
    if (!listen_too(&self)) perror("TCP");
    while (--processes > 0 && fork()) {}
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* the first one's is whoever started it */
    for (;;) {
        int sent = 0, ready;
        for (int i = 0; i < BATCH; i++) {
            in_vec[i] = (struct iovec){queries[i], SIZE};
            in[i].msg_hdr = (struct msghdr){.msg_name = &from[i], .msg_namelen = sizeof from[i],
                                            .msg_iov = &in_vec[i], .msg_iovlen = 1};
        }
        ready = recvmmsg(fd, in, BATCH, MSG_WAITFORONE, NULL);
        for (int i = 0; i < ready; i++) {
            size_t size = answer(queries[i], in[i].msg_len, replies[sent]);
            if (!size) continue;
            out_vec[sent] = (struct iovec){replies[sent], size};
            out[sent].msg_hdr = (struct msghdr){.msg_name = &from[i],
                                                .msg_namelen = in[i].msg_hdr.msg_namelen,
                                                .msg_iov = &out_vec[sent], .msg_iovlen = 1};
            sent++;
        }
        if (sent) sendmmsg(fd, out, sent, 0);
    }
}
