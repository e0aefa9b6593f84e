/* Keys of a list that no list before it has: most of them. */
#include "columns.h"

/* Places of what was claimed before; -1: an id is beyond the table. */
static Py_ssize_t claim(const uint32_t *ids, const uint32_t *lines, size_t count, uint32_t *sets,
                        uint32_t *to, size_t size, uint32_t number, uint32_t *rest) {
    size_t left = 0;
    for (size_t at = 0; at < count; at++) {
        uint32_t id = ids[at];
        if (id >= size) return -1;
        if (sets[id]) {
            rest[left++] = at;
        } else {
            sets[id] = number;
            to[id] = lines[at];
        }
    }
    return left;
}

PyObject *columns_claim(PyObject *module, PyObject *args) {
    Py_buffer ids, lines, sets, to;
    unsigned int number;
    PyObject *rest = NULL;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*y*w*w*I", &ids, &lines, &sets, &to, &number)) return NULL;
    if (ids.len != lines.len || sets.len != to.len || ids.len % 4 || sets.len % 4) {
        PyErr_SetString(PyExc_ValueError, "columns of one length are wanted");
    } else if ((rest = PyBytes_FromStringAndSize(NULL, ids.len))) {
        uint32_t *places = (uint32_t *)(void *)PyBytes_AS_STRING(rest);
        Py_ssize_t left =
            claim(ids.buf, lines.buf, ids.len / 4, sets.buf, to.buf, sets.len / 4, number, places);
        if (left < 0) {
            Py_CLEAR(rest);
            PyErr_SetString(PyExc_IndexError, "no such key");
        } else {
            _PyBytes_Resize(&rest, left * 4);
        }
    }
    PyBuffer_Release(&ids);
    PyBuffer_Release(&lines);
    PyBuffer_Release(&sets);
    PyBuffer_Release(&to);
    return rest;
}
