/* What native forwarding hands to Python: exchanges that took a turn, and who waits for them. */
#include "objects.h"
#include "octets.h"

/* (listener, query, source, token, arrived): the rest of a row is what Drain.run gives. */
static PyObject *row_of(const waiter *one) {
    const Drain *by = one->drain;
    uint8_t token[DRAIN_TOKEN];
    size_t size = drain_token(one->name, one->name_size, one->control, one->control_size, token);
    return Py_BuildValue("iy#y#y#d", by->number, one->query, (Py_ssize_t)one->size, one->address,
                         (Py_ssize_t)16, token, (Py_ssize_t)size, one->arrived_us / 1e6);
}

/* Rows of a chain of waiters, which ends here. */
static PyObject *rows_of(Forward *self, waiter *waiting) {
    PyObject *rows = PyList_New(0);
    while (waiting) {
        waiter *one = waiting;
        PyObject *row = rows ? row_of(one) : NULL;
        waiting = one->next;
        if (row && PyList_Append(rows, row)) Py_CLEAR(row);
        Py_XDECREF(row);
        if (!row) Py_CLEAR(rows);
        waiter_free(&self->flow, one);
    }
    return rows;
}

static void add(Forward *self, PyObject *event) {
    if (!event || !self->events || PyList_Append(self->events, event)) PyErr_WriteUnraisable(NULL);
    Py_XDECREF(event);
}

void forward_event(forward *flow, pending *one, unsigned flight, enum forward_what what,
                   const uint8_t *datagram, size_t size, int number) {
    Forward *self = flow->object;
    uint8_t query[FORWARD_QUERY];
    waiter *waiting = one->waiting;
    one->waiting = NULL;
    PyObject *rows = rows_of(self, waiting);
    if (!rows) return PyErr_WriteUnraisable(NULL);
    memcpy(query, one->query, one->query_size);
    put16(query, one->flights[flight].id);
    add(self, Py_BuildValue("iy#iy#y#idiON", (int)what, one->question,
                            (Py_ssize_t)one->question_size, one->flights[flight].lane, query,
                            (Py_ssize_t)one->query_size, datagram, (Py_ssize_t)size, number,
                            one->sent_us / 1e6, (int)one->at_once,
                            one->lied ? Py_True : Py_False, rows));
}

/* hand_over(question) -> what `run` would give for it, or None when it is not under way here. */
PyObject *forward_hand_over(Forward *self, PyObject *question) {
    char *bytes;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(question, &bytes, &size)) return NULL;
    const uint8_t *octets = (const uint8_t *)bytes;
    pending *one = size < 5 || size > MEMO_QUESTION
        ? NULL : forward_find(&self->flow, forward_hash(&self->flow, octets, size), octets, size);
    if (!one) Py_RETURN_NONE;
    PyObject *outer = self->events, *event = NULL;
    if (!(self->events = PyList_New(0))) return self->events = outer, NULL;
    forward_yield(&self->flow, one);
    if (PyList_GET_SIZE(self->events)) {
        event = PyList_GET_ITEM(self->events, 0);
        Py_INCREF(event);
    }
    Py_SETREF(self->events, outer);
    if (event) return event;
    Py_RETURN_NONE;
}

/* Those whose answer did not fit, as an event of their own. */
static void add_unfit(Forward *self) {
    waiter *unfit = self->flow.unfit;
    self->flow.unfit = NULL;
    PyObject *rows = rows_of(self, unfit);
    if (rows)
        add(self, Py_BuildValue("iy#iy#y#idiON", -1, "", (Py_ssize_t)0, 0, "", (Py_ssize_t)0, "",
                                (Py_ssize_t)0, 0, 0.0, 0, Py_False, rows));
    else
        PyErr_WriteUnraisable(NULL);
}

int forward_serve(Forward *self) {
    if (!self->events && !(self->events = PyList_New(0))) return -1;
    forward_turn(&self->flow, clock_us());
    forward_flush(self);
    if (self->flow.unfit) add_unfit(self);
    return PyList_GET_SIZE(self->events) > 0;
}

/* run() -> [(what, question, lane, query, datagram, errno, sent, at once, lied, rows)]: everything
 * that has come from upstreams is dealt with; these are Python's. `what` -1: only the rows. */
PyObject *forward_run(Forward *self, PyObject *unused) {
    (void)unused;
    if (forward_serve(self) < 0) return NULL;
    PyObject *events = self->events;
    self->events = NULL;
    return events;
}
