/* The module `filterd.lists._native`. */
#include "columns.h"

static size_t count_keys(PyObject *texts, Py_ssize_t count) {
    size_t found = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *text = PyTuple_GET_ITEM(texts, i);
        if (!PyBytes_Check(text) || memchr(PyBytes_AS_STRING(text), 0, PyBytes_GET_SIZE(text)))
            return PyErr_SetString(PyExc_ValueError, "texts without a 0 are wanted"), 0;
        const char *at = PyBytes_AS_STRING(text), *end = at + PyBytes_GET_SIZE(text);
        if (at == end) continue;
        for (found++; (at = memchr(at, '\n', end - at)); at++) found++;
    }
    if (found > MOST_KEYS) return PyErr_SetString(PyExc_OverflowError, "too many keys"), 0;
    return found;
}

static void find_keys(PyObject *texts, Py_ssize_t count, key *keys) {
    uint32_t place = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *text = PyTuple_GET_ITEM(texts, i);
        const char *at = PyBytes_AS_STRING(text), *end = at + PyBytes_GET_SIZE(text);
        if (at == end) continue;
        while (at <= end) {
            const char *feed = memchr(at, '\n', end - at);
            if (!feed) feed = end;
            keys[place] = (key){0, (const uint8_t *)at, feed - at, place};
            place++;
            at = feed + 1;
        }
    }
}

/* numbers(texts) -> 4 octets for each key: see keys_number. */
static PyObject *numbers(PyObject *module, PyObject *texts) {
    (void)module;
    if (!PyTuple_Check(texts)) return PyErr_SetString(PyExc_TypeError, "a tuple is wanted"), NULL;
    Py_ssize_t pieces = PyTuple_GET_SIZE(texts);
    size_t count = count_keys(texts, pieces);
    if (PyErr_Occurred()) return NULL;
    PyObject *found = PyBytes_FromStringAndSize(NULL, count * sizeof(uint32_t));
    key *keys = malloc((count + 1) * sizeof *keys);
    int done = found && keys;
    if (done) {
        find_keys(texts, pieces, keys);
        keys_sort(keys, count);
        done = keys_number(keys, count, (uint32_t *)(void *)PyBytes_AS_STRING(found));
    }
    free(keys);
    if (done) return found;
    Py_XDECREF(found);
    return PyErr_NoMemory();
}

static PyMethodDef methods[] = {
    {"claim", columns_claim, METH_VARARGS, NULL},
    {"numbers", numbers, METH_O, NULL},
    {"turned", columns_turned, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

enum { VERSION = 2 }; /* of what Python may expect in here: a build that was left over is not used */

static int module_exec(PyObject *module) {
    return PyModule_AddIntConstant(module, "VERSION", VERSION);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, module_exec}, {0, NULL}};

static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "filterd.lists._native",
                                 .m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&definition); }
