/* Python's view of the outline: `Outline`. The contract is in filterd/listen/drain.py. */
#include "objects.h"

static int read_half(Outline *self, int at, PyObject *names, PyObject *sets, int width) {
    outline_half *half = &self->table.halves[at];
    Py_buffer *held = &self->held[2 * at];
    if (PyObject_GetBuffer(names, held, PyBUF_SIMPLE)) return -1;
    if (PyObject_GetBuffer(sets, held + 1, PyBUF_SIMPLE)) return -1;
    if (!trie_open(&half->names, held->buf, held->len) ||
        (held[1].len && (uintptr_t)held[1].buf % 4) || (width != 1 && width != 2 && width != 4))
        return PyErr_SetString(PyExc_ValueError, "no table of names that can be read here"), -1;
    half->sets = held[1].buf;
    half->width = width;
    half->set_count = held[1].len / width;
    return 0;
}

typedef void (*taker)(outline *, const char *, size_t);

/* Give every text of a list whose length fits to `take`. */
static int read_texts(Outline *self, PyObject *from, Py_ssize_t least, Py_ssize_t most, taker take) {
    for (Py_ssize_t at = 0; at < PyList_GET_SIZE(from); at++) {
        Py_ssize_t size;
        const char *text = PyUnicode_AsUTF8AndSize(PyList_GET_ITEM(from, at), &size);
        if (!text) return -1;
        if (size < least || size > most)
            return PyErr_SetString(PyExc_ValueError, "neither a name nor a piece of one"), -1;
        take(&self->table, text, size);
    }
    return 0;
}

static int outline_init(Outline *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"first", "second", "touched", "pieces", NULL};
    PyObject *tables[4], *touched, *pieces;
    int width[2];
    if (self->table.touched) return PyErr_SetString(PyExc_RuntimeError, "already made"), -1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "(OOi)(OOi)O!O!", names, &tables[0], &tables[1],
                                     &width[0], &tables[2], &tables[3], &width[1], &PyList_Type,
                                     &touched, &PyList_Type, &pieces))
        return -1;
    for (int at = 0; at < OUTLINE_HALVES; at++)
        if (read_half(self, at, tables[2 * at], tables[2 * at + 1], width[at])) return -1;
    if (!outline_reserve(&self->table, PyList_GET_SIZE(touched), PyList_GET_SIZE(pieces)))
        return PyErr_NoMemory(), -1;
    return read_texts(self, touched, 1, 253, outline_touch) ||
           read_texts(self, pieces, 3, 4, outline_need) ? -1 : 0;
}

static void outline_dealloc(Outline *self) {
    PyTypeObject *type = Py_TYPE(self);
    outline_close(&self->table);
    for (int at = 0; at < 2 * OUTLINE_HALVES; at++)
        if (self->held[at].obj) PyBuffer_Release(&self->held[at]);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *outline_outline(Outline *self, PyObject *name) {
    uint8_t out[OUTLINE_SIZE];
    if (!PyBytes_Check(name)) return PyErr_SetString(PyExc_TypeError, "a wire name is bytes"), NULL;
    int size = outline_of(&self->table, (uint8_t *)PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name),
                          out);
    if (size < 0) Py_RETURN_NONE;
    return PyBytes_FromStringAndSize((char *)out, size);
}

static PyMethodDef outline_methods[] = {{"outline", (PyCFunction)outline_outline, METH_O, NULL},
                                        {NULL, NULL, 0, NULL}};
static PyType_Slot outline_slots[] = {{Py_tp_init, outline_init},
                                      {Py_tp_new, PyType_GenericNew},
                                      {Py_tp_dealloc, outline_dealloc},
                                      {Py_tp_methods, outline_methods},
                                      {0, NULL}};
PyType_Spec outline_spec = {"filterd.listen._native.Outline", sizeof(Outline), 0,
                            Py_TPFLAGS_DEFAULT, outline_slots};
