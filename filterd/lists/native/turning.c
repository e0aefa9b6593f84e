/* Names that stand one a line, spelled backwards, and dealt out to the halves of the index. */
#include "columns.h"

static int is_first_half(const uint8_t *name, size_t size) {
    static const char ends[3][3] = {"com", "net", "org"};
    if (size < 3 || (size > 3 && name[size - 4] != '.')) return 0;
    for (int i = 0; i < 3; i++)
        if (!memcmp(name + size - 3, ends[i], 3)) return 1;
    return 0;
}

static size_t line_size(const uint8_t *at, const uint8_t *end) {
    const uint8_t *feed = memchr(at, '\n', end - at);
    return (feed ? feed : end) - at;
}

typedef struct {
    size_t octets, count;
    PyObject *keys, *lines;
    uint8_t *key_at;
    uint8_t *line_at;
} half;

/* Room for the keys with a dot and a line feed each, but for the last line feed. */
static int make_room(half *one) {
    one->keys = PyBytes_FromStringAndSize(NULL, one->octets ? one->octets - 1 : 0);
    one->lines = PyBytes_FromStringAndSize(NULL, one->count * 4);
    if (!one->keys || !one->lines) return 0;
    one->key_at = (uint8_t *)PyBytes_AS_STRING(one->keys);
    one->line_at = (uint8_t *)PyBytes_AS_STRING(one->lines);
    return 1;
}

static void put(half *to, const uint8_t *name, size_t size, uint32_t line) {
    uint8_t *out = to->key_at;
    if (out != (uint8_t *)PyBytes_AS_STRING(to->keys)) *out++ = '\n';
    for (size_t left = size; left; left--) *out++ = name[left - 1];
    *out++ = '.';
    to->key_at = out;
    memcpy(to->line_at, &line, 4);
    to->line_at += 4;
}

PyObject *columns_turned(PyObject *module, PyObject *args) {
    Py_buffer names;
    unsigned int line;
    half halves[2] = {{0}, {0}};
    PyObject *found = NULL;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*I", &names, &line)) return NULL;
    const uint8_t *begin = names.buf, *end = begin + names.len;
    for (const uint8_t *at = begin; at <= end;) {
        size_t size = line_size(at, end);
        half *one = halves + !is_first_half(at, size);
        one->octets += size + 2;
        one->count++;
        at += size + 1;
    }
    if (make_room(halves) && make_room(halves + 1)) {
        for (const uint8_t *at = begin; at <= end; line++) {
            size_t size = line_size(at, end);
            put(halves + !is_first_half(at, size), at, size, line);
            at += size + 1;
        }
        found = PyTuple_Pack(4, halves[0].keys, halves[0].lines, halves[1].keys, halves[1].lines);
    }
    for (int i = 0; i < 2; i++) {
        Py_XDECREF(halves[i].keys);
        Py_XDECREF(halves[i].lines);
    }
    PyBuffer_Release(&names);
    return found;
}
