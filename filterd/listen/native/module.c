/* Python's view of the native path: `Memo` and `Drain`. The contract is in filterd/listen/drain.py. */
#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>

#include <errno.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <time.h>

#include "drain.h"
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
} Memo;

typedef struct {
    PyObject_HEAD
    Memo *memo;
    int fd;
    int refuses;
    Py_ssize_t silent_at, rcodes_at; /* counters of what is malformed */
    struct mmsghdr in[DRAIN_BATCH], out[DRAIN_BATCH];
    struct iovec in_vec[DRAIN_BATCH], out_vec[DRAIN_BATCH];
    struct sockaddr_storage from[DRAIN_BATCH];
    uint8_t control[DRAIN_BATCH][DRAIN_CONTROL];
    uint8_t queries[DRAIN_BATCH][DRAIN_DATAGRAM], replies[DRAIN_BATCH][DRAIN_DATAGRAM];
} Drain;

static int64_t clock_ms(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

/* --- Memo ------------------------------------------------------------------------------- */

static int memo_init(Memo *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"counters", "limit_bytes", NULL};
    Py_ssize_t limit;
    uint64_t seed;
    if (self->table.buckets) return PyErr_SetString(PyExc_RuntimeError, "already made"), -1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "w*n", names, &self->counters, &limit)) return -1;
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed) return PyErr_SetFromErrno(PyExc_OSError), -1;
    if (!memo_open(&self->table, limit < 0 ? 0 : limit, seed)) return PyErr_NoMemory(), -1;
    self->table.counters = self->counters.buf;
    self->table.counter_count = self->counters.len / sizeof(uint64_t);
    return 0;
}

static void memo_dealloc(Memo *self) {
    PyTypeObject *type = Py_TYPE(self);
    memo_close(&self->table);
    if (self->counters.obj) PyBuffer_Release(&self->counters);
    type->tp_free(self);
    Py_DECREF(type);
}

/* Copy a tuple of small integers into `to`; -1 with an exception when it does not fit. */
static int copy_numbers(PyObject *from, unsigned long limit, int most, int width, void *to) {
    Py_ssize_t count = PyTuple_Check(from) ? PyTuple_GET_SIZE(from) : most + 1;
    if (count > most) return PyErr_SetString(PyExc_ValueError, "too many numbers for a memo entry"), -1;
    for (Py_ssize_t i = 0; i < count; i++) {
        unsigned long number = PyLong_AsUnsignedLong(PyTuple_GET_ITEM(from, i));
        if (PyErr_Occurred()) return -1;
        if (number >= limit) return PyErr_SetString(PyExc_ValueError, "number out of range"), -1;
        if (width == 2) ((uint16_t *)to)[i] = number;
        else ((uint32_t *)to)[i] = number;
    }
    return (int)count;
}

static PyObject *memo_put_py(Memo *self, PyObject *args) {
    entry head = {0};
    Py_buffer question, reply;
    PyObject *ttls, *counts;
    int made = 0, ttl_count, count_count;
    if (!PyArg_ParseTuple(args, "Iby*y*OOLLb", &head.rules, &head.variant, &question, &reply, &ttls,
                          &counts, &head.stored_ms, &head.until_ms, &head.tally))
        return NULL;
    ttl_count = copy_numbers(ttls, reply.len > 3 ? reply.len - 3 : 0, MEMO_TTLS, 2, head.ttls);
    count_count = ttl_count < 0 ? -1
        : copy_numbers(counts, self->table.counter_count, MEMO_COUNTS, 4, head.counts);
    if (count_count >= 0 && question.len <= MEMO_QUESTION && reply.len <= DRAIN_DATAGRAM &&
        reply.len >= 12 + question.len) {
        head.ttl_count = ttl_count;
        head.count_count = count_count;
        head.question_size = question.len;
        head.reply_size = reply.len;
        made = memo_put(&self->table, &head, question.buf, reply.buf);
    }
    PyBuffer_Release(&question);
    PyBuffer_Release(&reply);
    return PyErr_Occurred() ? NULL : PyBool_FromLong(made);
}

static PyObject *memo_place(Memo *self, PyObject *args) {
    Py_buffer address;
    unsigned rules;
    unsigned char tag;
    float rate, burst;
    source *slot;
    if (!PyArg_ParseTuple(args, "y*Ibff", &address, &rules, &tag, &rate, &burst)) return NULL;
    if (address.len != 16) {
        PyBuffer_Release(&address);
        return PyErr_SetString(PyExc_ValueError, "an address is 16 octets, IPv4 mapped"), NULL;
    }
    slot = memo_source(&self->table, address.buf, 1);
    slot->network = memo_network(&self->table, address.buf);
    PyBuffer_Release(&address);
    slot->rules = rules;
    slot->tag = tag;
    slot->rate = rate;
    slot->burst = burst;
    slot->own = (allowance){0};
    Py_RETURN_NONE;
}

static PyObject *memo_flush_py(Memo *self, PyObject *unused) {
    (void)unused;
    memo_flush(&self->table);
    Py_RETURN_NONE;
}

static PyObject *memo_forget_sources(Memo *self, PyObject *unused) {
    (void)unused;
    memo_flush_sources(&self->table);
    Py_RETURN_NONE;
}

static PyObject *memo_harvest(Memo *self, PyObject *unused) {
    PyObject *found = PyList_New(0);
    (void)unused;
    for (uint32_t at = 0; found && at < self->table.bucket_count; at++) {
        for (entry *one = self->table.buckets[at]; one; one = one->next) {
            if (!one->hits) continue;
            PyObject *row = Py_BuildValue("Iy#IK", one->rules, one->bytes,
                                          (Py_ssize_t)one->question_size, one->hits, one->clients);
            if (!row || PyList_Append(found, row)) Py_CLEAR(found);
            Py_XDECREF(row);
            if (!found) return NULL;
            one->hits = 0;
            one->clients = 0;
        }
    }
    return found;
}

static PyObject *memo_harvest_sources(Memo *self, PyObject *unused) {
    PyObject *found = PyList_New(0);
    (void)unused;
    for (uint32_t at = 0; found && at < SOURCE_SLOTS; at++) {
        source *one = &self->table.sources[at];
        for (int tally = 0; one->taken && tally < MEMO_TALLIES; tally++) {
            if (!one->tallies[tally]) continue;
            PyObject *row = Py_BuildValue("y#IiI", one->address, (Py_ssize_t)16, one->rules, tally,
                                          one->tallies[tally]);
            if (!row || PyList_Append(found, row)) Py_CLEAR(found);
            Py_XDECREF(row);
            if (!found) return NULL;
            one->tallies[tally] = 0;
        }
    }
    return found;
}

static PyObject *memo_weight(Memo *self, void *unused) {
    (void)unused;
    return Py_BuildValue("nn", (Py_ssize_t)self->table.entries, (Py_ssize_t)self->table.bytes);
}

static PyMethodDef memo_methods[] = {
    {"put", (PyCFunction)memo_put_py, METH_VARARGS, NULL},
    {"place", (PyCFunction)memo_place, METH_VARARGS, NULL},
    {"flush", (PyCFunction)memo_flush_py, METH_NOARGS, NULL},
    {"forget_sources", (PyCFunction)memo_forget_sources, METH_NOARGS, NULL},
    {"harvest", (PyCFunction)memo_harvest, METH_NOARGS, NULL},
    {"harvest_sources", (PyCFunction)memo_harvest_sources, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL}};
static PyGetSetDef memo_fields[] = {{"weight", (getter)memo_weight, NULL, NULL, NULL},
                                    {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot memo_slots[] = {{Py_tp_init, memo_init},
                                   {Py_tp_new, PyType_GenericNew},
                                   {Py_tp_dealloc, memo_dealloc},
                                   {Py_tp_methods, memo_methods},
                                   {Py_tp_getset, memo_fields},
                                   {0, NULL}};
static PyType_Spec memo_spec = {"filterd.listen._native.Memo", sizeof(Memo), 0, Py_TPFLAGS_DEFAULT,
                                memo_slots};

/* --- Drain ------------------------------------------------------------------------------ */

static int drain_init(Drain *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"fd", "memo", "refusals", NULL};
    PyObject *memo_object, *refusals = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "iO|O", names, &self->fd, &memo_object, &refusals))
        return -1;
    if (strcmp(Py_TYPE(memo_object)->tp_name, "filterd.listen._native.Memo"))
        return PyErr_SetString(PyExc_TypeError, "memo must be a native Memo"), -1;
    Py_INCREF(memo_object);
    Py_XSETREF(self->memo, (Memo *)memo_object);
    if (refusals == Py_None) return 0;
    if (!PyArg_ParseTuple(refusals, "nn", &self->silent_at, &self->rcodes_at)) return -1;
    Py_ssize_t places = self->memo->table.counter_count;
    if (self->silent_at < 0 || self->silent_at >= places || self->rcodes_at < 0 ||
        self->rcodes_at > places - 16)
        return PyErr_SetString(PyExc_ValueError, "no such counter"), -1;
    self->refuses = 1;
    return 0;
}

static void drain_dealloc(Drain *self) {
    PyTypeObject *type = Py_TYPE(self);
    OPEN(self->queries, sizeof self->queries);
    Py_XDECREF(self->memo);
    type->tp_free(self);
    Py_DECREF(type);
}

static int receive(Drain *self) {
    OPEN(self->queries, sizeof self->queries);
    for (int i = 0; i < DRAIN_BATCH; i++) {
        self->in_vec[i] = (struct iovec){self->queries[i], DRAIN_DATAGRAM};
        self->in[i].msg_hdr = (struct msghdr){.msg_name = &self->from[i],
                                              .msg_namelen = sizeof self->from[i],
                                              .msg_iov = &self->in_vec[i], .msg_iovlen = 1,
                                              .msg_control = self->control[i],
                                              .msg_controllen = DRAIN_CONTROL};
    }
    return recvmmsg(self->fd, self->in, DRAIN_BATCH, MSG_DONTWAIT, NULL);
}

/* (query, 16-octet source, token to answer with): the token is the peer's address and, where the
 * socket asks for it, the address that was asked. */
static int give_to_python(Drain *self, int at, const uint8_t *address, PyObject *left) {
    struct msghdr *head = &self->in[at].msg_hdr;
    uint8_t token[1 + sizeof(struct sockaddr_storage) + DRAIN_CONTROL];
    token[0] = head->msg_namelen;
    memcpy(token + 1, head->msg_name, head->msg_namelen);
    memcpy(token + 1 + head->msg_namelen, head->msg_control, head->msg_controllen);
    PyObject *row = Py_BuildValue("y#y#y#", self->queries[at], (Py_ssize_t)self->in[at].msg_len,
                                  address, (Py_ssize_t)16, token,
                                  (Py_ssize_t)(1 + head->msg_namelen + head->msg_controllen));
    int failed = !row || PyList_Append(left, row);
    Py_XDECREF(row);
    return failed;
}

/* Answer or drop what cannot be read; whether it was done with, and with how many octets. */
static int refuse(Drain *self, int at, uint8_t *out, size_t *size) {
    int rcode = self->refuses ? refusal_of(self->queries[at], self->in[at].msg_len) : READABLE;
    if (rcode == READABLE) return 0;
    uint64_t *counters = self->memo->table.counters;
    counters[rcode == SILENT ? self->silent_at : self->rcodes_at + rcode]++;
    if (rcode == SILENT) return 1;
    refusal_write(self->queries[at], rcode, out);
    *size = REFUSAL_SIZE;
    return 1;
}

static PyObject *drain_run(Drain *self, PyObject *args) {
    int batches;
    PyObject *left;
    if (!PyArg_ParseTuple(args, "i", &batches) || !(left = PyList_New(0))) return NULL;
    while (batches-- > 0) {
        int count = receive(self), sent = 0;
        int64_t now_ms = clock_ms();
        for (int i = 0; i < count; i++) {
            uint8_t address[16];
            struct msghdr *head = &self->in[i].msg_hdr;
            if (head->msg_flags & MSG_TRUNC) continue;
            FENCE(self->queries[i] + self->in[i].msg_len, DRAIN_DATAGRAM - self->in[i].msg_len);
            drain_address(head->msg_name, address);
            size_t size = drain_answer(&self->memo->table, self->queries[i], self->in[i].msg_len,
                                       address, now_ms, self->replies[sent]);
            if (!size && refuse(self, i, self->replies[sent], &size) && !size) continue;
            if (!size) {
                if (give_to_python(self, i, address, left)) return Py_DECREF(left), NULL;
                continue;
            }
            self->out_vec[sent] = (struct iovec){self->replies[sent], size};
            self->out[sent].msg_hdr = *head;
            self->out[sent].msg_hdr.msg_iov = &self->out_vec[sent];
            self->out[sent].msg_hdr.msg_flags = 0;
            sent++;
        }
        if (sent) sendmmsg(self->fd, self->out, sent, MSG_DONTWAIT);
        if (count < DRAIN_BATCH) break;
    }
    return left;
}

static PyObject *drain_send(Drain *self, PyObject *args) {
    Py_buffer token, reply;
    ssize_t sent = -1;
    if (!PyArg_ParseTuple(args, "y*y*", &token, &reply)) return NULL;
    uint8_t *bytes = token.buf;
    if (token.len > 1 && token.len >= 1 + bytes[0]) {
        struct iovec vec = {reply.buf, reply.len};
        struct msghdr head = {.msg_name = bytes + 1, .msg_namelen = bytes[0], .msg_iov = &vec,
                              .msg_iovlen = 1, .msg_control = bytes + 1 + bytes[0],
                              .msg_controllen = token.len - 1 - bytes[0]};
        sent = sendmsg(self->fd, &head, MSG_DONTWAIT);
    }
    PyBuffer_Release(&token);
    PyBuffer_Release(&reply);
    return PyBool_FromLong(sent >= 0);
}

static PyMethodDef drain_methods[] = {{"run", (PyCFunction)drain_run, METH_VARARGS, NULL},
                                      {"send", (PyCFunction)drain_send, METH_VARARGS, NULL},
                                      {NULL, NULL, 0, NULL}};
static PyType_Slot drain_slots[] = {{Py_tp_init, drain_init},
                                    {Py_tp_new, PyType_GenericNew},
                                    {Py_tp_dealloc, drain_dealloc},
                                    {Py_tp_methods, drain_methods},
                                    {0, NULL}};
static PyType_Spec drain_spec = {"filterd.listen._native.Drain", sizeof(Drain), 0,
                                 Py_TPFLAGS_DEFAULT, drain_slots};

static int module_exec(PyObject *module) {
    PyObject *types[] = {PyType_FromSpec(&memo_spec), PyType_FromSpec(&drain_spec)};
    for (int i = 0; i < 2; i++) {
        if (!types[i] || PyModule_AddType(module, (PyTypeObject *)types[i])) return -1;
        Py_DECREF(types[i]);
    }
    return 0;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, module_exec}, {0, NULL}};
static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT, "filterd.listen._native", NULL, 0, NULL, module_slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&module_definition); }
