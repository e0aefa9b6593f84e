/* Python's view of the names that were seen: `Names`. The contract is in filterd/metrics/seen.py. */
#include "objects.h"

#include <sys/random.h>

static int names_init(Names *self, PyObject *args, PyObject *kwargs) {
    uint64_t seed;
    (void)args, (void)kwargs;
    if (self->table.all) return PyErr_SetString(PyExc_RuntimeError, "already made"), -1;
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed) return PyErr_SetFromErrno(PyExc_OSError), -1;
    if (!names_open(&self->table, seed)) return PyErr_NoMemory(), -1;
    return 0;
}

static void names_dealloc(Names *self) {
    PyTypeObject *type = Py_TYPE(self);
    names_close(&self->table);
    type->tp_free(self);
    Py_DECREF(type);
}

/* name(wire name, uses, tags) */
static PyObject *names_name(Names *self, PyObject *args) {
    Py_buffer text;
    unsigned long long uses, tags;
    if (!PyArg_ParseTuple(args, "y*KK", &text, &uses, &tags)) return NULL;
    int fits = text.len <= NAMES_LONGEST;
    int added = fits && names_add(&self->table, text.buf, text.len, uses, tags);
    PyBuffer_Release(&text);
    if (!fits) return PyErr_SetString(PyExc_ValueError, "no name is that long"), NULL;
    if (!added) return PyErr_NoMemory();
    Py_RETURN_NONE;
}

/* take() -> ([(wire name, uses, tags)], how many were forgotten) */
static PyObject *names_take(Names *self, PyObject *unused) {
    (void)unused;
    names_prune(&self->table);
    PyObject *found = PyList_New(0);
    for (unsigned at = 0; found && at < self->table.count; at++) {
        const name *one = &self->table.all[at];
        PyObject *row = Py_BuildValue("y#KK", self->table.texts + one->at, (Py_ssize_t)one->size,
                                      (unsigned long long)one->uses, (unsigned long long)one->tags);
        if (!row || PyList_Append(found, row)) Py_CLEAR(found);
        Py_XDECREF(row);
    }
    if (!found) return NULL;
    PyObject *taken = Py_BuildValue("NK", found, (unsigned long long)self->table.forgotten);
    names_clear(&self->table);
    return taken;
}

int names_tell(PyObject *to, const entry *one) {
    size_t size = one->question_size < 4 ? 0 : one->question_size - 4;
    if (!strcmp(Py_TYPE(to)->tp_name, names_spec.name))
        return size <= NAMES_LONGEST && !names_add(&((Names *)to)->table, one->bytes, size, one->hits,
                                                   one->clients)
                   ? (PyErr_NoMemory(), -1) : 0;
    PyObject *said = PyObject_CallMethod(to, "name", "y#IK", one->bytes, (Py_ssize_t)size, one->hits,
                                         (unsigned long long)one->clients);
    Py_XDECREF(said);
    return said ? 0 : -1;
}

static PyMethodDef names_methods[] = {{"name", (PyCFunction)names_name, METH_VARARGS, NULL},
                                      {"take", (PyCFunction)names_take, METH_NOARGS, NULL},
                                      {NULL, NULL, 0, NULL}};
static PyType_Slot names_slots[] = {{Py_tp_init, names_init},
                                    {Py_tp_new, PyType_GenericNew},
                                    {Py_tp_dealloc, names_dealloc},
                                    {Py_tp_methods, names_methods},
                                    {0, NULL}};
PyType_Spec names_spec = {"filterd.listen._native.Names", sizeof(Names), 0, Py_TPFLAGS_DEFAULT,
                          names_slots};
