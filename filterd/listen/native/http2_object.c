/* Python's view of an HTTP/2 connection: `Http2`. See http2.h. */
#include "http2.h"

#include <stdlib.h>
#include <string.h>

static void forget(Http2 *self, request *one) {
    self->held -= one->answer_size - one->answer_at;
    *one->link = one->next;
    if (one->next) one->next->link = one->link;
    free(one->target);
    free(one->body);
    free(one->answer);
    free(one);
}

static int on_begin(nghttp2_session *session, const http2_frame *frame, void *given) {
    Http2 *self = given;
    request *one;
    if (frame->type != HTTP2_HEADERS || self->library->get_user(session, frame->stream)) return 0;
    one = calloc(1, sizeof *one);
    if (!one) return HTTP2_FAILED;
    one->stream = frame->stream;
    one->begun = self->now;
    one->next = self->requests;
    one->link = &self->requests;
    if (one->next) one->next->link = &one->next;
    self->requests = one;
    return self->library->set_user(session, frame->stream, one) ? HTTP2_FAILED : 0;
}

static void word(char *to, const uint8_t *value, size_t size) {
    if (size > HTTP2_WORD) size = HTTP2_WORD;
    memcpy(to, value, size);
    to[size] = 0;
}

static int is(const uint8_t *name, size_t size, const char *wanted) {
    return size == strlen(wanted) && !memcmp(name, wanted, size);
}

static int on_header(nghttp2_session *session, const http2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t size, uint8_t flags,
                     void *given) {
    Http2 *self = given;
    request *one = self->library->get_user(session, frame->stream);
    (void)flags;
    if (!one) return 0;
    one->header_octets += name_size + size + 32; /* as RFC 9113 §6.5.2 counts */
    if (one->header_octets > HTTP2_HEADER_OCTETS) return HTTP2_FAILED;
    if (is(name, name_size, ":method")) word(one->method, value, size);
    if (is(name, name_size, "content-type")) word(one->media_type, value, size);
    if (is(name, name_size, "content-length"))
        one->too_long = size > 9 || strtoul((const char *)value, NULL, 10) > HTTP2_BODY;
    if (!is(name, name_size, ":path")) return 0;
    if (one->target || !(one->target = malloc(size + 1))) return HTTP2_FAILED;
    memcpy(one->target, value, size);
    one->target_size = size;
    return 0;
}

/* Answer before the body has come; `take` then says that no more of it is wanted. */
static void refuse(Http2 *self, request *one) {
    http2_header headers[3] = {
        {(const uint8_t *)":status", (const uint8_t *)"413", 7, 3, 0},
        {(const uint8_t *)"cache-control", (const uint8_t *)"no-store", 13, 8, 0},
    };
    if (one->answered) return;
    http2_answer(self, one, headers, 2, NULL, 0);
    one->refused = 1;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *octets,
                   size_t size, void *given) {
    Http2 *self = given;
    request *one = self->library->get_user(session, stream);
    (void)flags;
    if (!one || one->answered || !size) return 0;
    if (one->body_size + size > HTTP2_BODY) return refuse(self, one), 0;
    uint8_t *body = realloc(one->body, one->body_size + size);
    if (!body) return HTTP2_FAILED;
    memcpy(body + one->body_size, octets, size);
    one->body = body;
    one->body_size += size;
    return 0;
}

/* A whole request: the memo's or Python's. */
static int complete(Http2 *self, request *one) {
    if (one->answered) return 0;
    one->complete = 1;
    one->begun = self->now;
    if (self->resets > 0) self->resets--;
    if (http2_repeat(self, one)) return 0;
    PyObject *row = Py_BuildValue("iyy#yy#", one->stream, one->method,
                                  one->target ? one->target : "", (Py_ssize_t)one->target_size,
                                  one->media_type, one->body ? (char *)one->body : "",
                                  (Py_ssize_t)one->body_size);
    int failed = !row || PyList_Append(self->asked, row);
    Py_XDECREF(row);
    return failed ? HTTP2_FAILED : 0;
}

static int on_frame(nghttp2_session *session, const http2_frame *frame, void *given) {
    Http2 *self = given;
    request *one;
    if (frame->type == HTTP2_RST_STREAM && ++self->resets > HTTP2_RESETS) return HTTP2_FAILED;
    if (frame->type != HTTP2_HEADERS && frame->type != HTTP2_DATA) return 0;
    one = self->library->get_user(session, frame->stream);
    if (!one) return 0;
    if (one->too_long) refuse(self, one);
    return frame->flags & HTTP2_END_STREAM ? complete(self, one) : 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t error, void *given) {
    Http2 *self = given;
    request *one = self->library->get_user(session, stream);
    (void)error;
    if (one) forget(self, one);
    return 0;
}

static int open_session(Http2 *self) {
    const http2_library *library = self->library;
    nghttp2_session_callbacks *calls;
    static const http2_setting limits[] = {{HTTP2_MAX_STREAMS, HTTP2_STREAMS},
                                           {HTTP2_WINDOW, 2 * HTTP2_BODY},
                                           {HTTP2_HEADER_LIST, HTTP2_HEADER_OCTETS}};
    if (library->callbacks_new(&calls)) return -1;
    library->on_begin_headers(calls, on_begin);
    library->on_header(calls, on_header);
    library->on_data(calls, on_data);
    library->on_frame(calls, on_frame);
    library->on_close(calls, on_close);
    int failed = library->server_new(&self->session, calls, self);
    library->callbacks_del(calls);
    return failed || library->settings(self->session, 0, limits, 3) ? -1 : 0;
}

static int http2_init(Http2 *self, PyObject *args, PyObject *kwargs) {
    PyObject *memo;
    Py_buffer address;
    (void)kwargs;
    if (self->session) return PyErr_SetString(PyExc_RuntimeError, "already made"), -1;
    if (!PyArg_ParseTuple(args, "Oy*", &memo, &address)) return -1;
    int fits = address.len == 16;
    if (fits) memcpy(self->address, address.buf, 16);
    PyBuffer_Release(&address);
    if (!fits) return PyErr_SetString(PyExc_ValueError, "an address is 16 octets"), -1;
    if (memo != Py_None && strcmp(Py_TYPE(memo)->tp_name, memo_spec.name))
        return PyErr_SetString(PyExc_TypeError, "a native memo or None"), -1;
    self->library = http2_open();
    if (!self->library || open_session(self)) return PyErr_NoMemory(), -1;
    if (memo != Py_None) self->memo = (Memo *)Py_NewRef(memo);
    return 0;
}

static void http2_dealloc(Http2 *self) {
    PyTypeObject *type = Py_TYPE(self);
    while (self->requests) forget(self, self->requests);
    if (self->session) self->library->del(self->session);
    Py_XDECREF((PyObject *)self->memo);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *http2_receive(Http2 *self, PyObject *args) {
    Py_buffer octets;
    if (!PyArg_ParseTuple(args, "y*d", &octets, &self->now)) return NULL;
    PyObject *asked = self->asked = PyList_New(0);
    if (asked && !self->dead && self->library->take_in(self->session, octets.buf, octets.len) < 0)
        self->dead = 1;
    self->asked = NULL;
    PyBuffer_Release(&octets);
    if (self->held > HTTP2_HELD) self->dead = 1;
    if (PyErr_Occurred()) Py_CLEAR(asked);
    return asked;
}

/* Reset those whose refusal has gone out: a reset overtakes what is not sent yet. */
static int reset_refused(Http2 *self) {
    int count = 0;
    for (request *one = self->requests; one; one = one->next) {
        if (!one->refused) continue;
        one->refused = 0;
        count += !self->library->reset(self->session, 0, one->stream, HTTP2_NO_ERROR);
    }
    return count;
}

/* Octets to send; what the client's window does not take stays. */
static PyObject *http2_take(Http2 *self, PyObject *unused) {
    size_t filled = 0, room = 0;
    ssize_t size;
    const uint8_t *octets;
    uint8_t *out = NULL, *more;
    (void)unused;
    do {
        while ((size = self->library->give_out(self->session, &octets)) > 0) {
            if (filled + size > room) {
                room = 2 * (filled + size) + 1024;
                if (!(more = realloc(out, room))) return free(out), PyErr_NoMemory();
                out = more;
            }
            memcpy(out + filled, octets, size);
            filled += size;
        }
    } while (!size && reset_refused(self));
    if (size < 0 || self->held > HTTP2_HELD) self->dead = 1;
    PyObject *found = PyBytes_FromStringAndSize((char *)out, filled);
    free(out);
    return found;
}

/* The headers of a Python sequence of (name, value) into `to`; how many, -1 with an exception. */
static int read_headers(PyObject *from, http2_header *to, int most) {
    int count = PyTuple_Check(from) ? (int)PyTuple_GET_SIZE(from) : most + 1;
    if (count > most) return PyErr_SetString(PyExc_ValueError, "too many headers"), -1;
    for (int i = 0; i < count; i++) {
        const char *name, *value;
        Py_ssize_t name_size, size;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(from, i), "s#s#", &name, &name_size, &value, &size))
            return -1;
        to[i] = (http2_header){(const uint8_t *)name, (const uint8_t *)value, name_size, size, 0};
    }
    return count;
}

static PyObject *http2_respond(Http2 *self, PyObject *args) {
    enum { MOST = 6 };
    http2_header headers[MOST + 1];
    PyObject *given;
    Py_buffer body;
    int stream;
    if (!PyArg_ParseTuple(args, "iOy*", &stream, &given, &body)) return NULL;
    request *one = self->library->get_user(self->session, stream);
    int count = read_headers(given, headers, MOST);
    if (count >= 0 && one && one->complete && !one->answered) {
        uint8_t *copy = malloc(body.len + 1);
        if (copy) memcpy(copy, body.buf, body.len);
        if (copy) http2_answer(self, one, headers, count, copy, body.len);
        else self->dead = 1;
    }
    PyBuffer_Release(&body);
    if (count < 0) return NULL;
    Py_RETURN_NONE;
}

static PyObject *http2_expire(Http2 *self, PyObject *args) {
    double before;
    if (!PyArg_ParseTuple(args, "d", &before)) return NULL;
    for (request *one = self->requests; one; one = one->next)
        if (!one->answered && one->begun < before) {
            self->library->reset(self->session, 0, one->stream, HTTP2_CANCEL);
            one->answered = 1;
        }
    Py_RETURN_NONE;
}

static PyObject *http2_busy(Http2 *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(self->requests != NULL);
}

static PyObject *http2_dead(Http2 *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(self->dead || (!self->library->want_read(self->session) &&
                                          !self->library->want_write(self->session)));
}

static PyObject *freshness(PyObject *type, PyObject *args) {
    Py_buffer reply;
    (void)type;
    if (!PyArg_ParseTuple(args, "y*", &reply)) return NULL;
    uint32_t seconds = http2_freshness(reply.buf, reply.len);
    PyBuffer_Release(&reply);
    return PyLong_FromUnsignedLong(seconds);
}

static PyMethodDef http2_methods[] = {
    {"receive", (PyCFunction)http2_receive, METH_VARARGS, NULL},
    {"take", (PyCFunction)http2_take, METH_NOARGS, NULL},
    {"respond", (PyCFunction)http2_respond, METH_VARARGS, NULL},
    {"expire", (PyCFunction)http2_expire, METH_VARARGS, NULL},
    {"freshness", (PyCFunction)freshness, METH_VARARGS | METH_STATIC, NULL},
    {NULL, NULL, 0, NULL}};
static PyGetSetDef http2_fields[] = {{"busy", (getter)http2_busy, NULL, NULL, NULL},
                                     {"dead", (getter)http2_dead, NULL, NULL, NULL},
                                     {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot http2_slots[] = {{Py_tp_init, http2_init},
                                    {Py_tp_new, PyType_GenericNew},
                                    {Py_tp_dealloc, http2_dealloc},
                                    {Py_tp_methods, http2_methods},
                                    {Py_tp_getset, http2_fields},
                                    {0, NULL}};
PyType_Spec http2_spec = {"filterd.listen._native.Http2", sizeof(Http2), 0, Py_TPFLAGS_DEFAULT,
                          http2_slots};
