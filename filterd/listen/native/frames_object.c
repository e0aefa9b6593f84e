/* `Memo.repeat_frames`: a stream's buffer answered at once. See filterd/resolve/memo.py. */
#include "objects.h"
#include "octets.h"

/* Octets of answers after which the rest has to wait: a client that does not read holds no more. */
enum { FRAMES_MOST = 65536, LENGTH = 2 };

static PyObject *answered(memo *table, asked *one, const Py_buffer *octets) {
    uint8_t out[FRAMES_MOST + LENGTH + DRAIN_DATAGRAM];
    const uint8_t *wire = octets->buf;
    size_t at = 0, filled = 0, size = octets->len;
    int64_t now_ms = clock_us() / 1000;
    while (size - at >= LENGTH && filled < FRAMES_MOST) {
        size_t length = get16(wire + at);
        if (length > size - at - LENGTH) break;
        one->query = wire + at + LENGTH;
        one->size = length;
        size_t reply = drain_answer(table, one, now_ms, out + filled + LENGTH);
        if (!reply) break;
        put16(out + filled, reply);
        filled += LENGTH + reply;
        at += LENGTH + length;
    }
    return Py_BuildValue("y#n", out, (Py_ssize_t)filled, (Py_ssize_t)at);
}

PyObject *memo_repeat_frames(Memo *self, PyObject *args) {
    Py_buffer octets, source;
    PyObject *found = NULL;
    asked one = {0};
    if (!PyArg_ParseTuple(args, "y*y*i", &octets, &source, &one.transport)) return NULL;
    if (source.len == 16 && one.transport > 0 && one.transport < 4) {
        memcpy(one.address, source.buf, 16);
        found = answered(&self->table, &one, &octets);
    } else {
        PyErr_SetString(PyExc_ValueError, "no such source or transport");
    }
    PyBuffer_Release(&octets);
    PyBuffer_Release(&source);
    return found;
}
