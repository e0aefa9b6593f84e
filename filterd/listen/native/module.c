/* The module `filterd.listen._native`: its types, and the reader of replies for tests. */
#include "http2.h"

/* read_reply(query, question size, reply) -> (reply_kind, records, TTL, marks, cookie): what native
 * forwarding makes of a reply, without an exchange around it. */
static PyObject *read_reply(PyObject *module, PyObject *args) {
    Py_buffer query, reply;
    Py_ssize_t question;
    answer found = {0};
    (void)module;
    if (!PyArg_ParseTuple(args, "y*ny*", &query, &question, &reply)) return NULL;
    int fits = question >= 5 && question <= MEMO_QUESTION && query.len >= 12 + question;
    enum reply_kind kind =
        fits ? reply_read(query.buf, question, reply.buf, reply.len, &found) : REPLY_FOREIGN;
    PyBuffer_Release(&query);
    PyBuffer_Release(&reply);
    if (!fits) return PyErr_SetString(PyExc_ValueError, "no such question in this query"), NULL;
    if (kind != REPLY_PLAIN) found = (answer){0};
    return Py_BuildValue("iy#Iiy#", (int)kind, found.body, (Py_ssize_t)found.body_size, found.ttl,
                         (int)found.marks, found.cookie, (Py_ssize_t)found.cookie_size);
}

enum { VERSION = 14 }; /* of what Python may expect in here: a build that was left over is not used */

static int module_exec(PyObject *module) {
    if (PyModule_AddIntConstant(module, "VERSION", VERSION)) return -1;
    PyObject *types[] = {PyType_FromSpec(&memo_spec), PyType_FromSpec(&drain_spec),
                         PyType_FromSpec(&forward_spec),
                         PyType_FromSpec(&outline_spec), PyType_FromSpec(&networks_spec), PyType_FromSpec(&names_spec),
                         PyType_FromSpec(&standby_spec),
                         http2_open() ? PyType_FromSpec(&http2_spec) : Py_NewRef(Py_None)};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i] == Py_None) continue; /* libnghttp2 is not installed */
        if (!types[i] || PyModule_AddType(module, (PyTypeObject *)types[i])) return -1;
        Py_DECREF(types[i]);
    }
    return 0;
}

static PyMethodDef module_methods[] = {{"read_reply", read_reply, METH_VARARGS, NULL},
                                       {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, module_exec}, {0, NULL}};
static struct PyModuleDef module_definition = {PyModuleDef_HEAD_INIT, "filterd.listen._native",
                                               NULL, 0, module_methods, module_slots, NULL, NULL,
                                               NULL};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&module_definition); }
