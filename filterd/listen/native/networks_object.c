/* Python's view of address lists: `Networks`. The contract is in filterd/listen/drain.py. */
#include "objects.h"

enum { COLUMNS = 3 };

/* Read one family of one table: three columns of equal length. */
static int read_family(PyObject *from, Py_buffer *held, stretches *to) {
    static const Py_ssize_t widths[COLUMNS] = {8, 8, 4};
    PyObject *columns[COLUMNS];
    if (!PyArg_ParseTuple(from, "OOO", &columns[0], &columns[1], &columns[2])) return -1;
    for (int at = 0; at < COLUMNS; at++)
        if (PyObject_GetBuffer(columns[at], held + at, PyBUF_SIMPLE)) return -1;
    to->count = held[0].len / widths[0];
    for (int at = 0; at < COLUMNS; at++)
        if (held[at].len != (Py_ssize_t)to->count * widths[at] ||
            (held[at].len && (uintptr_t)held[at].buf % widths[at]))
            return PyErr_SetString(PyExc_ValueError, "no columns of stretches"), -1;
    to->high = held[0].buf;
    to->low = held[1].buf;
    to->inner = held[2].buf;
    return 0;
}

/* Networks(list of (IPv4 columns, IPv6 columns), a table each) */
static int networks_init(Networks *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"tables", NULL};
    PyObject *tables;
    if (self->held) return PyErr_SetString(PyExc_RuntimeError, "already made"), -1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!", names, &PyList_Type, &tables)) return -1;
    self->tables = PyList_GET_SIZE(tables);
    self->held = PyMem_Calloc(self->tables + 1, 2 * COLUMNS * sizeof *self->held);
    self->families = PyMem_Calloc(self->tables + 1, 2 * sizeof *self->families);
    if (!self->held || !self->families) return PyErr_NoMemory(), -1;
    for (Py_ssize_t at = 0; at < self->tables; at++) {
        PyObject *family[2];
        if (!PyArg_ParseTuple(PyList_GET_ITEM(tables, at), "OO", &family[0], &family[1])) return -1;
        for (Py_ssize_t i = 2 * at; i < 2 * at + 2; i++)
            if (read_family(family[i & 1], self->held + COLUMNS * i, &self->families[i])) return -1;
    }
    return 0;
}

static void networks_dealloc(Networks *self) {
    PyTypeObject *type = Py_TYPE(self);
    for (Py_ssize_t at = 0; self->held && at < 2 * COLUMNS * self->tables; at++)
        if (self->held[at].obj) PyBuffer_Release(&self->held[at]);
    PyMem_Free(self->held);
    PyMem_Free(self->families);
    type->tp_free(self);
    Py_DECREF(type);
}

int networks_have(const Networks *self, const uint8_t *address, size_t size) {
    for (Py_ssize_t at = size > 4; at < 2 * self->tables; at += 2)
        if (stretches_have(&self->families[at], address, size)) return 1;
    return 0;
}

/* networks(packed) -> whether a list has this 4- or 16-octet address */
static PyObject *networks_call(Networks *self, PyObject *args, PyObject *kwargs) {
    Py_buffer address;
    (void)kwargs;
    if (!PyArg_ParseTuple(args, "y*", &address)) return NULL;
    int fits = address.len == 4 || address.len == 16;
    int found = fits && self->families && networks_have(self, address.buf, address.len);
    PyBuffer_Release(&address);
    if (!fits) return PyErr_SetString(PyExc_ValueError, "an address is 4 or 16 octets"), NULL;
    return PyBool_FromLong(found);
}

static PyType_Slot networks_slots[] = {{Py_tp_init, networks_init},
                                       {Py_tp_new, PyType_GenericNew},
                                       {Py_tp_dealloc, networks_dealloc},
                                       {Py_tp_call, networks_call},
                                       {0, NULL}};
PyType_Spec networks_spec = {"filterd.listen._native.Networks", sizeof(Networks), 0,
                             Py_TPFLAGS_DEFAULT, networks_slots};
