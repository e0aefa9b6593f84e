/* Python's view of the wait of an event loop: `Standby`. The contract is in filterd/listen/standby.py.
 *
 * What can be answered without Python is answered in the middle of the wait, and the wait goes on.
 */
#include "objects.h"

#include <math.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { STANDBY_EVENTS = 32, MOST_MS = 86400000 };

/* One that is waited for. */
typedef struct watched {
    PyObject *object; /* a Drain or a Forward; NULL: none any more, the place is free */
    int fd, is_drain;
    struct watched *next;
} watched;

typedef struct {
    PyObject_HEAD
    int epoll, batches; /* of a drain at a time */
    watched *first;
} Standby;

static int standby_init(Standby *self, PyObject *args) {
    int loop;
    if (!PyArg_ParseTuple(args, "ii", &loop, &self->batches)) return -1;
    if (self->epoll) return PyErr_SetString(PyExc_RuntimeError, "already made"), -1;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (self->epoll < 0 || epoll_ctl(self->epoll, EPOLL_CTL_ADD, loop, &event))
        return PyErr_SetFromErrno(PyExc_OSError), -1;
    return 0;
}

static void standby_dealloc(Standby *self) {
    PyTypeObject *type = Py_TYPE(self);
    for (watched *one = self->first, *next; one; one = next) {
        next = one->next;
        Py_XDECREF(one->object);
        free(one);
    }
    if (self->epoll > 0) close(self->epoll);
    type->tp_free(self);
    Py_DECREF(type);
}

static watched *place(Standby *self) {
    watched *one = self->first;
    while (one && one->object) one = one->next;
    if (one || !(one = calloc(1, sizeof *one))) return one;
    one->next = self->first;
    return self->first = one;
}

/* add(Drain or Forward) */
static PyObject *standby_add(Standby *self, PyObject *object) {
    int is_drain = !strcmp(Py_TYPE(object)->tp_name, drain_spec.name);
    if (!is_drain && strcmp(Py_TYPE(object)->tp_name, forward_spec.name))
        return PyErr_SetString(PyExc_TypeError, "only a native Drain or Forward"), NULL;
    watched *one = place(self);
    if (!one) return PyErr_NoMemory();
    one->fd = is_drain ? ((Drain *)object)->fd : ((Forward *)object)->flow.epoll;
    /* Workers share a socket: of those that wait one is woken, not all of them (epoll_ctl(2)). */
    struct epoll_event event = {.events = EPOLLIN | (is_drain ? EPOLLEXCLUSIVE : 0), .data.ptr = one};
    if (epoll_ctl(self->epoll, EPOLL_CTL_ADD, one->fd, &event))
        return PyErr_SetFromErrno(PyExc_OSError);
    one->is_drain = is_drain;
    one->object = Py_NewRef(object);
    Py_RETURN_NONE;
}

/* remove(Drain or Forward): it is not waited for any more; nothing, when it was not. */
static PyObject *standby_remove(Standby *self, PyObject *object) {
    watched *one = self->first;
    while (one && one->object != object) one = one->next;
    if (!one) Py_RETURN_NONE;
    epoll_ctl(self->epoll, EPOLL_CTL_DEL, one->fd, NULL);
    Py_CLEAR(one->object);
    Py_RETURN_NONE;
}

/* Do for `one` what takes no Python: 1 when it has something for Python, -1 with an exception. It
 * is held meanwhile: a judge is Python, and may do anything. */
static int serve(const Standby *self, watched *one) {
    PyObject *object = Py_NewRef(one->object);
    int left = one->is_drain ? drain_serve((Drain *)object, self->batches)
                             : forward_serve((Forward *)object);
    Py_DECREF(object);
    return left;
}

/* Serve what came; who has something for Python goes to `ready`, None for the loop's own. */
static int take(const Standby *self, const struct epoll_event *events, int count, PyObject *ready) {
    for (int i = 0; i < count; i++) {
        watched *one = events[i].data.ptr;
        if (one && !one->object) continue;
        int left = one ? serve(self, one) : 1;
        PyObject *told = one ? one->object : Py_None; /* NULL: removed meanwhile */
        if (left < 0 || (left && told && PyList_Append(ready, told))) return -1;
    }
    return 0;
}

static int milliseconds(int64_t until_us, int64_t now_us) {
    if (until_us == INT64_MAX) return -1;
    int64_t left = (until_us - now_us + 999) / 1000;
    return left < 0 ? 0 : left > MOST_MS ? MOST_MS : (int)left;
}

/* wait(seconds, negative: for ever) -> [Drain or Forward that has something for Python, None for the
 * loop's own descriptors]: until there is one, or the time is over. */
static PyObject *standby_wait(Standby *self, PyObject *args) {
    struct epoll_event events[STANDBY_EVENTS];
    double seconds;
    if (!PyArg_ParseTuple(args, "d", &seconds)) return NULL;
    PyObject *ready = PyList_New(0);
    if (!ready) return NULL;
    int for_ever = !(seconds >= 0) || seconds > MOST_MS;
    int64_t now_us = clock_us();
    int64_t until_us = for_ever ? INT64_MAX : now_us + (int64_t)ceil(seconds * 1e6);
    for (;;) {
        int count, ms = milliseconds(until_us, now_us);
        Py_BEGIN_ALLOW_THREADS
        count = epoll_wait(self->epoll, events, STANDBY_EVENTS, ms);
        Py_END_ALLOW_THREADS
        if (count < 0) {
            if (errno == EINTR && !PyErr_CheckSignals()) break;
            if (!PyErr_Occurred()) PyErr_SetFromErrno(PyExc_OSError);
            return Py_DECREF(ready), NULL;
        }
        if (take(self, events, count, ready)) return Py_DECREF(ready), NULL;
        if (PyList_GET_SIZE(ready)) break;
        if ((now_us = clock_us()) >= until_us) break;
    }
    return ready;
}

static PyMethodDef standby_methods[] = {{"add", (PyCFunction)standby_add, METH_O, NULL},
                                        {"remove", (PyCFunction)standby_remove, METH_O, NULL},
                                        {"wait", (PyCFunction)standby_wait, METH_VARARGS, NULL},
                                        {NULL, NULL, 0, NULL}};
static PyType_Slot standby_slots[] = {{Py_tp_init, standby_init},
                                      {Py_tp_new, PyType_GenericNew},
                                      {Py_tp_dealloc, standby_dealloc},
                                      {Py_tp_methods, standby_methods},
                                      {0, NULL}};
PyType_Spec standby_spec = {"filterd.listen._native.Standby", sizeof(Standby), 0,
                            Py_TPFLAGS_DEFAULT, standby_slots};
