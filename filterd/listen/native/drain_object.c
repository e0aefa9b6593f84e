/* Python's view of one UDP socket: `Drain`. The contract is in filterd/listen/drain.py. */
#include "objects.h"

static int read_refusals(Drain *self, PyObject *from) {
    Py_ssize_t places = self->memo->table.counter_count;
    if (!PyArg_ParseTuple(from, "nn", &self->silent_at, &self->rcodes_at)) return -1;
    if (self->silent_at < 0 || self->silent_at >= places || self->rcodes_at < 0 ||
        self->rcodes_at > places - 16)
        return PyErr_SetString(PyExc_ValueError, "no such counter"), -1;
    self->refuses = 1;
    return 0;
}

static int drain_init(Drain *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"fd", "memo", "refusals", "forward", "number", NULL};
    PyObject *memo_object, *refusals = Py_None, *forward_object = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "iO|OOi", names, &self->fd, &memo_object,
                                     &refusals, &forward_object, &self->number))
        return -1;
    if (strcmp(Py_TYPE(memo_object)->tp_name, memo_spec.name))
        return PyErr_SetString(PyExc_TypeError, "memo must be a native Memo"), -1;
    if (forward_object != Py_None && strcmp(Py_TYPE(forward_object)->tp_name, forward_spec.name))
        return PyErr_SetString(PyExc_TypeError, "forward must be a native Forward"), -1;
    self->stale = DRAIN_BATCH;
    Py_INCREF(memo_object);
    Py_XSETREF(self->memo, (Memo *)memo_object);
    if (refusals != Py_None && read_refusals(self, refusals)) return -1;
    if (forward_object == Py_None) return 0;
    Py_INCREF(forward_object);
    Py_XSETREF(self->forward, (Forward *)forward_object);
    return 0;
}

static void drain_dealloc(Drain *self) {
    PyTypeObject *type = Py_TYPE(self);
    OPEN(self->queries, sizeof self->queries);
    Py_XDECREF(self->memo);
    Py_XDECREF(self->forward);
    Py_XDECREF(self->left);
    type->tp_free(self);
    Py_DECREF(type);
}

/* Heads are made anew for as many as the last time wrote to: most of the time few come at once. */
static int receive(Drain *self) {
    OPEN(self->queries, sizeof self->queries);
    for (int i = 0; i < self->stale; i++) {
        self->in_vec[i] = (struct iovec){self->queries[i], DRAIN_DATAGRAM};
        self->in[i].msg_hdr = (struct msghdr){.msg_name = &self->from[i],
                                              .msg_namelen = sizeof self->from[i],
                                              .msg_iov = &self->in_vec[i], .msg_iovlen = 1,
                                              .msg_control = self->control[i],
                                              .msg_controllen = DRAIN_CONTROL};
    }
    int count = recvmmsg(self->fd, self->in, DRAIN_BATCH, MSG_DONTWAIT, NULL);
    self->stale = count < 0 ? 1 : count < DRAIN_BATCH ? count + 1 : count;
    return count;
}

size_t drain_token(const void *name, size_t name_size, const void *control, size_t control_size,
                   uint8_t *token) {
    token[0] = name_size;
    memcpy(token + 1, name, name_size);
    memcpy(token + 1 + name_size, control, control_size);
    return 1 + name_size + control_size;
}

/* (query, 16-octet source, token to answer with): the token is the peer's address and, where the
 * socket asks for it, the address that was asked. */
static int give_to_python(const asked *one, const struct msghdr *head, PyObject *left) {
    uint8_t token[DRAIN_TOKEN];
    size_t size = drain_token(head->msg_name, head->msg_namelen, head->msg_control,
                              head->msg_controllen, token);
    PyObject *row = Py_BuildValue("y#y#y#", one->query, (Py_ssize_t)one->size, one->address,
                                  (Py_ssize_t)16, token, (Py_ssize_t)size);
    int failed = !row || PyList_Append(left, row);
    Py_XDECREF(row);
    return failed;
}

/* Answer what cannot be read: the size of the answer in `out`, -1: none; 0: it can be read. */
static Py_ssize_t refuse(Drain *self, const asked *one, uint8_t *out) {
    int rcode = self->refuses ? refusal_of(one->query, one->size) : READABLE;
    if (rcode == READABLE) return 0;
    uint64_t *counters = self->memo->table.counters;
    counters[rcode == SILENT ? self->silent_at : self->rcodes_at + rcode]++;
    if (rcode == SILENT) return -1;
    refusal_write(one->query, rcode, out);
    return REFUSAL_SIZE;
}

/* The size of the response in `out`; 0: it is with Python; -1: it comes later, or never. */
static Py_ssize_t answer_one(Drain *self, int at, int64_t now_us, uint8_t *out, PyObject *left) {
    struct msghdr *head = &self->in[at].msg_hdr;
    asked one = {.query = self->queries[at], .size = self->in[at].msg_len};
    FENCE(self->queries[at] + one.size, DRAIN_DATAGRAM - one.size);
    drain_address(head->msg_name, one.address);
    Py_ssize_t size = drain_answer(&self->memo->table, &one, now_us / 1000, out);
    if (!size && self->forward) size = forward_take(self->forward, self, &one, head, now_us, out);
    if (!size) size = refuse(self, &one, out);
    if (!size && give_to_python(&one, head, left)) PyErr_WriteUnraisable(NULL);
    return size;
}

int drain_serve(Drain *self, int batches) {
    if (!self->left && !(self->left = PyList_New(0))) return -1;
    PyObject *left = Py_NewRef(self->left);
    while (batches-- > 0) {
        int count = receive(self), sent = 0;
        int64_t now_us = clock_us();
        for (int i = 0; i < count; i++) {
            if (self->in[i].msg_hdr.msg_flags & MSG_TRUNC) continue;
            Py_ssize_t size = answer_one(self, i, now_us, self->replies[sent], left);
            if (size <= 0) continue;
            self->out_vec[sent] = (struct iovec){self->replies[sent], size};
            self->out[sent].msg_hdr = self->in[i].msg_hdr;
            self->out[sent].msg_hdr.msg_iov = &self->out_vec[sent];
            self->out[sent].msg_hdr.msg_flags = 0;
            sent++;
        }
        if (self->forward) forward_depart(&self->forward->flow);
        if (sent) sendmmsg(self->fd, self->out, sent, MSG_DONTWAIT);
        if (count < DRAIN_BATCH) break;
    }
    int some = PyList_GET_SIZE(left) > 0;
    Py_DECREF(left);
    return some;
}

static PyObject *drain_run(Drain *self, PyObject *args) {
    int batches;
    if (!PyArg_ParseTuple(args, "i", &batches) || drain_serve(self, batches) < 0) return NULL;
    PyObject *left = self->left;
    self->left = NULL;
    return left;
}

static PyObject *drain_fileno(Drain *self, PyObject *unused) {
    (void)unused;
    return PyLong_FromLong(self->fd);
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
                                      {"fileno", (PyCFunction)drain_fileno, METH_NOARGS, NULL},
                                      {"send", (PyCFunction)drain_send, METH_VARARGS, NULL},
                                      {NULL, NULL, 0, NULL}};
static PyType_Slot drain_slots[] = {{Py_tp_init, drain_init},
                                    {Py_tp_new, PyType_GenericNew},
                                    {Py_tp_dealloc, drain_dealloc},
                                    {Py_tp_methods, drain_methods},
                                    {0, NULL}};
PyType_Spec drain_spec = {"filterd.listen._native.Drain", sizeof(Drain), 0,
                                 Py_TPFLAGS_DEFAULT, drain_slots};
