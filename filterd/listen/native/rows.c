/* What a memo tells Python of its entries, all at once or a little at a time. Contract in
 * filterd/resolve/memo.py. */
#include "objects.h"

static int add_row(const entry *one, PyObject *found) {
    PyObject *row = Py_BuildValue("Iy#IK", one->rules, one->bytes, (Py_ssize_t)one->question_size,
                                  one->hits, one->clients);
    int failed = !row || PyList_Append(found, row);
    Py_XDECREF(row);
    return failed;
}

/* Tell `names` (NULL: add all) what was counted of a chain, and take out what no rules in force can
 * use; how many entries it had, -1 with an exception. */
static int add_rows(memo *table, entry **at, const void *to, PyObject *found) {
    int visited = 0;
    PyObject *names = (PyObject *)to;
    for (entry *one; (one = *at); visited++) {
        int over = memo_over(table, one);
        if (!over) at = &one->next;
        if (one->hits) {
            if (names && names_tell(names, one)) return -1;
            if ((!names || !one->again) && add_row(one, found)) return -1;
            one->hits = 0;
            one->clients = 0;
        }
        if (over) memo_take_out(table, at);
    }
    return visited;
}

/* Whether the native part will make this response by itself when names have these outlines. */
static int made_again(const entry *one, const outline *names) {
    return names && one->again && outline_leaves(names, one->bytes, one->question_size - 4);
}

/* Add a chain's questions that still hold and will not be made again; how many entries it has, -1
 * with an exception. */
static int add_held(memo *table, entry **at, const void *names, PyObject *found) {
    int visited = 0;
    int64_t now_ms = clock_us() / 1000;
    for (const entry *one = *at; one; one = one->next, visited++) {
        if (one->until_ms <= now_ms || memo_over(table, one) || one->variant >= MEMO_VARIANTS)
            continue;
        if (made_again(one, names)) continue;
        PyObject *row = Py_BuildValue("Iy#I", one->carried ? one->carried : one->rules, one->bytes,
                                      (Py_ssize_t)one->question_size, one->uses);
        int failed = !row || PyList_Append(found, row);
        Py_XDECREF(row);
        if (failed) return -1;
    }
    return visited;
}

/* Where names are told; NULL: nowhere, or with an exception. */
static PyObject *taker_of(PyObject *args) {
    PyObject *names = Py_None;
    return !PyArg_ParseTuple(args, "|O", &names) || names == Py_None ? NULL : names;
}

PyObject *memo_rows(memo *table, PyObject *args) {
    PyObject *names = taker_of(args), *found = PyErr_Occurred() ? NULL : PyList_New(0);
    for (uint32_t at = 0; found && at < table->bucket_count; at++)
        if (add_rows(table, &table->buckets[at], names, found) < 0) Py_CLEAR(found);
    return found;
}

/* The third is what it needs besides: a `Names`, or an outline. */
typedef int (*row_adder)(memo *, entry **, const void *, PyObject *);

/* Rows a little at a time: None when every bucket had its turn, which begins anew then. */
static PyObject *some_rows(memo *table, uint32_t *next, row_adder add, const void *with) {
    if (*next >= table->bucket_count) {
        *next = 0;
        Py_RETURN_NONE;
    }
    PyObject *found = PyList_New(0);
    for (int visited = 0; found && visited < HARVEST_STEP && *next < table->bucket_count; visited++) {
        int more = add(table, &table->buckets[(*next)++], with, found);
        if (more < 0) Py_CLEAR(found);
        visited += more;
    }
    return found;
}

PyObject *memo_some_rows(memo *table, PyObject *args) {
    PyObject *names = taker_of(args);
    return PyErr_Occurred() ? NULL : some_rows(table, &table->harvest_at, add_rows, names);
}

PyObject *memo_held_rows(memo *table, const outline *names) {
    return some_rows(table, &table->held_at, add_held, names);
}
