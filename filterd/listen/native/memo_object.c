/* Python's view of the memo: `Memo`. The contract is in filterd/listen/drain.py. */
#include "objects.h"

#include <sys/random.h>

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
    Py_XDECREF(self->names);
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
        head.used = 1;
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

static PyObject *memo_repeat(Memo *self, PyObject *args) {
    Py_buffer query, source;
    asked one = {0};
    uint8_t reply[DRAIN_DATAGRAM];
    size_t size = 0;
    if (!PyArg_ParseTuple(args, "y*y*i", &query, &source, &one.transport)) return NULL;
    int fits = source.len == 16 && one.transport >= 0 && one.transport < 4;
    if (fits) {
        one.query = query.buf;
        one.size = query.len;
        memcpy(one.address, source.buf, 16);
        size = drain_answer(&self->table, &one, clock_us() / 1000, reply);
    }
    PyBuffer_Release(&query);
    PyBuffer_Release(&source);
    if (!fits) return PyErr_SetString(PyExc_ValueError, "no such source or transport"), NULL;
    if (!size) Py_RETURN_NONE;
    return PyBytes_FromStringAndSize((char *)reply, size);
}

static int is_outline(PyObject *names) {
    if (!strcmp(Py_TYPE(names)->tp_name, outline_spec.name)) return 1;
    return PyErr_SetString(PyExc_TypeError, "outline must be a native Outline or None"), 0;
}

static PyObject *memo_outline(Memo *self, PyObject *names) {
    int none = names == Py_None;
    if (!none && !is_outline(names)) return NULL;
    if (!none) Py_INCREF(names);
    self->table.names = none ? NULL : &((Outline *)names)->table;
    Py_XSETREF(self->names, none ? NULL : names);
    Py_RETURN_NONE;
}

static PyObject *memo_spread_py(Memo *self, PyObject *args) {
    Py_buffer question;
    unsigned rules;
    unsigned char variant;
    if (!PyArg_ParseTuple(args, "Iby*", &rules, &variant, &question)) return NULL;
    int done = question.len > 4 && question.len <= MEMO_QUESTION &&
               memo_spread(&self->table, rules, variant, question.buf, question.len);
    PyBuffer_Release(&question);
    return PyBool_FromLong(done);
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

static PyObject *memo_held_some(Memo *self, PyObject *names) {
    int none = names == Py_None;
    if (!none && !is_outline(names)) return NULL;
    return memo_held_rows(&self->table, none ? NULL : &((Outline *)names)->table);
}

static PyObject *memo_carry_py(Memo *self, PyObject *args) {
    unsigned from, to, carried = 0;
    long long since_ms, until_ms;
    Py_buffer question;
    if (!PyArg_ParseTuple(args, "IIy*LL", &from, &to, &question, &since_ms, &until_ms)) return NULL;
    int fits = to && (from & LINEAGE) == (to & LINEAGE);
    if (fits && question.len <= MEMO_QUESTION)
        carried = memo_carry(&self->table, from, to, question.buf, question.len, since_ms, until_ms);
    PyBuffer_Release(&question);
    if (!fits) return PyErr_SetString(PyExc_ValueError, "rules of another lineage"), NULL;
    return PyLong_FromUnsignedLong(carried);
}

static PyObject *memo_retire(Memo *self, PyObject *oldest) {
    unsigned long number = PyLong_AsUnsignedLong(oldest);
    if (PyErr_Occurred()) return NULL;
    self->table.oldest = number;
    Py_RETURN_NONE;
}

static PyObject *memo_harvest_some(Memo *self, PyObject *args) {
    return memo_some_rows(&self->table, args);
}

static PyObject *memo_harvest(Memo *self, PyObject *args) { return memo_rows(&self->table, args); }

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
    {"repeat", (PyCFunction)memo_repeat, METH_VARARGS, NULL},
    {"repeat_frames", (PyCFunction)memo_repeat_frames, METH_VARARGS, NULL},
    {"outline", (PyCFunction)memo_outline, METH_O, NULL},
    {"spread", (PyCFunction)memo_spread_py, METH_VARARGS, NULL},
    {"flush", (PyCFunction)memo_flush_py, METH_NOARGS, NULL},
    {"forget_sources", (PyCFunction)memo_forget_sources, METH_NOARGS, NULL},
    {"held_some", (PyCFunction)memo_held_some, METH_O, NULL},
    {"carry", (PyCFunction)memo_carry_py, METH_VARARGS, NULL},
    {"retire", (PyCFunction)memo_retire, METH_O, NULL},
    {"harvest", (PyCFunction)memo_harvest, METH_VARARGS, NULL},
    {"harvest_some", (PyCFunction)memo_harvest_some, METH_VARARGS, NULL},
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
PyType_Spec memo_spec = {"filterd.listen._native.Memo", sizeof(Memo), 0, Py_TPFLAGS_DEFAULT,
                                memo_slots};
