/* The Python objects of the native path and what they need of each other. */
#ifndef FILTERD_OBJECTS_H
#define FILTERD_OBJECTS_H

#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>

#include <errno.h>
#include <netinet/in.h>
#include <time.h>

#include "forward.h"
#include "names.h"
#include "networks.h"
#include "outline.h"
#include "refusal.h"

/* Under AddressSanitizer the octets behind a datagram are out of bounds (tests/fuzz/sanitized.py). */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define FENCE(at, size) ASAN_POISON_MEMORY_REGION(at, size)
#define OPEN(at, size) ASAN_UNPOISON_MEMORY_REGION(at, size)
#else
#define FENCE(at, size) (void)0
#define OPEN(at, size) (void)0
#endif

typedef struct {
    PyObject_HEAD
    memo table;
    Py_buffer counters;
    PyObject *names; /* the Outline that `table` asks; NULL: none */
} Memo;

typedef struct {
    PyObject_HEAD
    outline table;
    Py_buffer held[2 * OUTLINE_HALVES]; /* names and sets of each half, views of the map */
} Outline;

/* Address lists; two families a table. */
typedef struct {
    PyObject_HEAD
    Py_ssize_t tables;
    Py_buffer *held;
    stretches *families;
} Networks;

typedef struct {
    PyObject_HEAD
    names table;
} Names;

typedef struct Forward Forward;

/* One UDP socket. */
typedef struct {
    PyObject_HEAD
    Memo *memo;
    Forward *forward; /* NULL: questions the memo does not know are Python's */
    int fd, number, refuses;
    Py_ssize_t silent_at, rcodes_at; /* counters of what is malformed */
    PyObject *left; /* queries for Python since it last asked for them; NULL: none yet */
    int stale; /* heads in `in` that were written to since they were made */
    struct mmsghdr in[DRAIN_BATCH], out[DRAIN_BATCH];
    struct iovec in_vec[DRAIN_BATCH], out_vec[DRAIN_BATCH];
    struct sockaddr_storage from[DRAIN_BATCH];
    uint8_t control[DRAIN_BATCH][DRAIN_CONTROL];
    uint8_t queries[DRAIN_BATCH][DRAIN_DATAGRAM], replies[DRAIN_BATCH][DRAIN_DATAGRAM];
} Drain;

/* Responses that go out together, all by the same socket. */
typedef struct {
    int fd, count;
    struct mmsghdr heads[DRAIN_BATCH];
    struct iovec vecs[DRAIN_BATCH];
    struct sockaddr_in6 names[DRAIN_BATCH];
    uint8_t control[DRAIN_BATCH][DRAIN_CONTROL];
    uint8_t responses[DRAIN_BATCH][REPLY_RESPONSE];
} outgoing;

struct Forward {
    PyObject_HEAD
    forward flow;
    Memo *memo;
    PyObject *judge, *refresh, *listed, *note; /* callables; NULL: no address lists, no notes */
    Networks *networks; /* `listed`, if it is native */
    PyObject *events; /* for Python, since it last asked for them; NULL: none yet */
    outgoing out;
};

extern PyType_Spec memo_spec, drain_spec, forward_spec, outline_spec, networks_spec, names_spec,
    standby_spec;

static inline int64_t clock_us(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000000 + at.tv_nsec / 1000;
}

typedef struct {
    uint32_t tier;
    int64_t until_ms; /* when the rules end; 0: never */
} verdict;

static inline int64_t ends_ms(const verdict *found) {
    return found->until_ms ? found->until_ms : INT64_MAX;
}

enum { NO_TALLY = 255 };

int networks_have(const Networks *self, const uint8_t *address, size_t size);

/* The verdict on a question, of who waits for it in `on` under the same rules or of the judge; 0: it
 * is the handler's; 2: Python was asked, which may have changed everything here. */
int forward_verdict(Forward *self, const asked *one, const pending *on, int64_t now_ms,
                    verdict *found);
/* What to do with a query the memo does not know: the size of its response in `out`, 0: Python's,
 * -1: it is being asked upstream. `head` is the message it came in. */
Py_ssize_t forward_take(Forward *self, Drain *by, asked *one, const struct msghdr *head,
                        int64_t now_us, uint8_t *out);
void forward_flush(Forward *self);
/* Do what there is to do without Python; 1: something is left for it, -1: an exception. */
int forward_serve(Forward *self);
int drain_serve(Drain *self, int batches);
PyObject *forward_run(Forward *self, PyObject *unused);
PyObject *forward_hand_over(Forward *self, PyObject *question);

/* What `harvest` gives of a table, counted from nought again; see filterd/resolve/memo.py. */
PyObject *memo_rows(memo *table, PyObject *args);
PyObject *memo_some_rows(memo *table, PyObject *args);
/* What `held_some` gives. */
PyObject *memo_held_rows(memo *table, const outline *names);
/* Tell a `Names` or anything with its method `name` how often this one's name was used; -1 with an
 * exception. */
int names_tell(PyObject *to, const entry *one);

/* (answers, octets used) of the frames in a stream's buffer. */
PyObject *memo_repeat_frames(Memo *self, PyObject *args);

/* The token to answer a query with; see Drain.send. Its size. */
size_t drain_token(const void *name, size_t name_size, const void *control, size_t control_size,
                   uint8_t *token);
enum { DRAIN_TOKEN = 1 + sizeof(struct sockaddr_storage) + DRAIN_CONTROL };

#endif
