/* Python's view of the native forwarding: `Forward`. The contract is in filterd/listen/drain.py. */
#include "objects.h"

#include <arpa/inet.h>
#include <sys/random.h>

static int take_callable(PyObject *from, PyObject **to) {
    if (!PyCallable_Check(from)) return PyErr_SetString(PyExc_TypeError, "not callable"), -1;
    Py_INCREF(from);
    Py_XSETREF(*to, from);
    return 0;
}

/* Ten places, then the bounds of the histogram; in the order of `places` in forward.h. */
static int take_places(PyObject *from, size_t counters, places *to) {
    uint32_t *into = (uint32_t *)to;
    Py_ssize_t count = sizeof *to / sizeof *into;
    if (!PyTuple_Check(from) || PyTuple_GET_SIZE(from) != count)
        return PyErr_SetString(PyExc_ValueError, "not the places that are counted at"), -1;
    for (Py_ssize_t i = 0; i < count; i++) {
        unsigned long number = PyLong_AsUnsignedLong(PyTuple_GET_ITEM(from, i));
        if (PyErr_Occurred()) return -1;
        if (number > UINT32_MAX || (i < 10 && number >= counters))
            return PyErr_SetString(PyExc_ValueError, "place out of range"), -1;
        into[i] = number;
    }
    uint32_t last = to->forwarded > to->cached ? to->forwarded : to->cached;
    if (last + 15ull * to->stride >= counters || to->durations + FORWARD_BUCKETS > counters)
        return PyErr_SetString(PyExc_ValueError, "place out of range"), -1;
    return 0;
}

static int forward_init(Forward *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"memo",   "limit_bytes", "places",  "clamp",
                            "pending", "judge",      "refresh", NULL};
    PyObject *memo_object, *at, *judge, *refresh;
    Py_ssize_t limit;
    uint64_t seed;
    forward *flow = &self->flow;
    if (self->memo) return PyErr_SetString(PyExc_RuntimeError, "already made"), -1;
    flow->epoll = flow->timer = -1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OnO(II)IOO", names, &memo_object, &limit, &at,
                                     &flow->least_ttl, &flow->most_ttl, &flow->pending_most, &judge,
                                     &refresh))
        return -1;
    if (strcmp(Py_TYPE(memo_object)->tp_name, memo_spec.name))
        return PyErr_SetString(PyExc_TypeError, "memo must be a native Memo"), -1;
    if (take_callable(judge, &self->judge) || take_callable(refresh, &self->refresh) ||
        take_places(at, ((Memo *)memo_object)->table.counter_count, &flow->at))
        return -1;
    if (flow->pending_most > UINT16_MAX) flow->pending_most = UINT16_MAX;
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed) return PyErr_SetFromErrno(PyExc_OSError), -1;
    if (!forward_open(flow, limit < 0 ? 0 : limit, seed)) return PyErr_SetFromErrno(PyExc_OSError), -1;
    Py_INCREF(memo_object);
    self->memo = (Memo *)memo_object;
    flow->rules = &self->memo->table;
    flow->object = self;
    return 0;
}

static void forward_dealloc(Forward *self) {
    PyTypeObject *type = Py_TYPE(self);
    if (self->memo) forward_close(&self->flow);
    Py_CLEAR(self->memo);
    Py_CLEAR(self->judge);
    Py_CLEAR(self->refresh);
    Py_CLEAR(self->listed);
    Py_CLEAR(self->note);
    Py_CLEAR(self->events);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *forward_fileno(Forward *self, PyObject *unused) {
    (void)unused;
    return PyLong_FromLong(self->flow.epoll);
}

static int take_optional(PyObject *from, PyObject **to) {
    if (from != Py_None) return take_callable(from, to);
    Py_CLEAR(*to);
    return 0;
}

/* watch(listed, note): either may be None. */
static PyObject *forward_watch(Forward *self, PyObject *args) {
    PyObject *listed, *note;
    if (!PyArg_ParseTuple(args, "OO", &listed, &note)) return NULL;
    self->networks = NULL;
    if (take_optional(listed, &self->listed) || take_optional(note, &self->note)) return NULL;
    if (!strcmp(Py_TYPE(listed)->tp_name, networks_spec.name)) self->networks = (Networks *)listed;
    Py_RETURN_NONE;
}

/* What a callable says; `otherwise` when it breaks. */
static int said_so(PyObject *callable, PyObject *said, int otherwise) {
    int yes = said ? PyObject_IsTrue(said) : -1;
    if (yes < 0) PyErr_WriteUnraisable(callable);
    Py_XDECREF(said);
    return yes < 0 ? otherwise : yes;
}

static int is_listed(Forward *self, const uint8_t *address, size_t size) {
    if (self->networks) return networks_have(self->networks, address, size);
    return self->listed &&
           said_so(self->listed,
                   PyObject_CallFunction(self->listed, "y#", address, (Py_ssize_t)size), 1);
}

int forward_suspect(forward *flow, const uint8_t *body, size_t size, size_t stride, uint32_t ttl) {
    Forward *self = flow->object;
    for (size_t at = 0; at < size; at += stride) {
        const uint8_t *address = body + at + 12;
        if (is_listed(self, address, stride - 12)) return 1;
        if (self->note)
            said_so(self->note, PyObject_CallFunction(self->note, "y#I", address,
                                                      (Py_ssize_t)(stride - 12), ttl), 0);
    }
    return 0;
}

/* --- who is asked ------------------------------------------------------------------------ */

static int read_address(const char *host, int number, lane *to) {
    memset(&to->to, 0, sizeof to->to);
    to->to_size = sizeof to->to.v4;
    to->to.v4.sin_family = AF_INET;
    to->to.v4.sin_port = htons(number);
    if (inet_pton(AF_INET, host, &to->to.v4.sin_addr) == 1) return 1;
    memset(&to->to, 0, sizeof to->to);
    to->to_size = sizeof to->to.v6;
    to->to.v6.sin6_family = AF_INET6;
    to->to.v6.sin6_port = htons(number);
    return inet_pton(AF_INET6, host, &to->to.v6.sin6_addr) == 1;
}

/* The lane of this address; a new one takes the place of one that is not used. */
static lane *find_lane(forward *flow, const lane *like) {
    lane *spare = NULL;
    for (int at = 0; at < LANES; at++) {
        lane *one = &flow->lanes[at];
        int asked = 0;
        if (one->to_size == like->to_size && !memcmp(&one->to, &like->to, sizeof one->to)) return one;
        for (unsigned i = 0; i < flow->at_once; i++) asked |= flow->order[i] == one;
        if (!one->live && !asked) spare = one;
    }
    if (spare) {
        memset(spare, 0, sizeof *spare);
        spare->to = like->to;
        spare->to_size = like->to_size;
        spare->opens = LANE_BURST;
        spare->filled_ms = clock_us() / 1000;
    }
    return spare;
}

/* order([(host, port, cookie, keeps_case, patience in ms)], until_ms) -> [lane number]: those to be
 * asked at once. A name is none: hosts are numeric. */
static PyObject *forward_order(Forward *self, PyObject *args) {
    PyObject *wanted, *numbers;
    long long until;
    forward *flow = &self->flow;
    if (!PyArg_ParseTuple(args, "O!L", &PyList_Type, &wanted, &until)) return NULL;
    if (!(numbers = PyList_New(0))) return NULL;
    flow->at_once = 0;
    flow->order_until_ms = until;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(wanted) && flow->at_once < FORWARD_AT_ONCE; i++) {
        lane like = {0};
        const char *host, *cookie;
        Py_ssize_t cookie_size;
        int number, keeps_case;
        unsigned patience;
        if (!PyArg_ParseTuple(PyList_GET_ITEM(wanted, i), "siy#pI", &host, &number, &cookie,
                              &cookie_size, &keeps_case, &patience))
            return Py_DECREF(numbers), NULL;
        lane *one = cookie_size > LANE_COOKIE || !read_address(host, number, &like)
            ? NULL : find_lane(flow, &like);
        if (!one) continue;
        one->cookie_size = cookie_size;
        memcpy(one->cookie, cookie, cookie_size);
        one->learnt = 0;
        one->keeps_case = keeps_case;
        one->patience_ms = patience;
        flow->order[flow->at_once++] = one;
        PyObject *place = PyLong_FromLong(one - flow->lanes);
        int failed = !place || PyList_Append(numbers, place);
        Py_XDECREF(place);
        if (failed) return Py_DECREF(numbers), NULL;
    }
    return numbers;
}

/* seen(lane number) -> (sent, replies, sum of their seconds, seconds outrun, wrong ids, malformed,
 * cookie if it is new) since the last time. */
static PyObject *forward_seen(Forward *self, PyObject *number) {
    long at = PyLong_AsLong(number);
    if (at < 0 || at >= LANES)
        return PyErr_Occurred() ? NULL : (PyErr_SetString(PyExc_ValueError, "no such lane"), NULL);
    lane *one = &self->flow.lanes[at];
    PyObject *found = Py_BuildValue("IIddIIy#", one->sent, one->replies, one->rtt_us / 1e6,
                                    one->outrun_us / 1e6, one->wrong_ids, one->malformed,
                                    one->cookie, (Py_ssize_t)(one->learnt ? one->cookie_size : 0));
    one->sent = one->replies = one->wrong_ids = one->malformed = 0;
    one->rtt_us = one->outrun_us = 0;
    one->learnt = 0;
    return found;
}

/* --- what was answered -------------------------------------------------------------------- */

/* answered(question) -> (records, ttl, stored_ms, marks, uses) or None. */
static PyObject *forward_answered(Forward *self, PyObject *question) {
    char *bytes;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(question, &bytes, &size)) return NULL;
    entry *found = size < 5 || size > MEMO_QUESTION
        ? NULL : memo_get(&self->flow.answers, 0, 0, (uint8_t *)bytes, size);
    if (!found) Py_RETURN_NONE;
    return Py_BuildValue("y#ILiI", found->bytes + found->question_size,
                         (Py_ssize_t)found->reply_size,
                         (unsigned)((found->until_ms - found->stored_ms) / 1000),
                         (long long)found->stored_ms, (int)found->tally, found->uses);
}

static PyObject *forward_note_py(Forward *self, PyObject *question) {
    char *bytes;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(question, &bytes, &size)) return NULL;
    if (size <= MEMO_QUESTION)
        forward_note(&self->flow, forward_hash(&self->flow, (uint8_t *)bytes, size));
    Py_RETURN_NONE;
}

static PyObject *forward_flush_py(Forward *self, PyObject *unused) {
    (void)unused;
    memo_flush(&self->flow.answers);
    Py_RETURN_NONE;
}

static PyObject *forward_weight(Forward *self, void *unused) {
    (void)unused;
    return Py_BuildValue("nn", (Py_ssize_t)self->flow.answers.entries,
                         (Py_ssize_t)self->flow.answers.bytes);
}

static PyObject *forward_harvest(Forward *self, PyObject *args) {
    return memo_rows(&self->flow.answers, args);
}

static PyObject *forward_harvest_some(Forward *self, PyObject *args) {
    return memo_some_rows(&self->flow.answers, args);
}

static PyMethodDef forward_methods[] = {
    {"harvest_some", (PyCFunction)forward_harvest_some, METH_VARARGS, NULL},
    {"fileno", (PyCFunction)forward_fileno, METH_NOARGS, NULL},
    {"watch", (PyCFunction)forward_watch, METH_VARARGS, NULL},
    {"order", (PyCFunction)forward_order, METH_VARARGS, NULL},
    {"seen", (PyCFunction)forward_seen, METH_O, NULL},
    {"answered", (PyCFunction)forward_answered, METH_O, NULL},
    {"note", (PyCFunction)forward_note_py, METH_O, NULL},
    {"flush", (PyCFunction)forward_flush_py, METH_NOARGS, NULL},
    {"harvest", (PyCFunction)forward_harvest, METH_VARARGS, NULL},
    {"hand_over", (PyCFunction)forward_hand_over, METH_O, NULL},
    {"run", (PyCFunction)forward_run, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL}};
static PyGetSetDef forward_fields[] = {{"weight", (getter)forward_weight, NULL, NULL, NULL},
                                       {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot forward_slots[] = {{Py_tp_init, forward_init},
                                      {Py_tp_new, PyType_GenericNew},
                                      {Py_tp_dealloc, forward_dealloc},
                                      {Py_tp_methods, forward_methods},
                                      {Py_tp_getset, forward_fields},
                                      {0, NULL}};
PyType_Spec forward_spec = {"filterd.listen._native.Forward", sizeof(Forward), 0,
                            Py_TPFLAGS_DEFAULT, forward_slots};
