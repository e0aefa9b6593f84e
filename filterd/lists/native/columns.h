/* Names of lists as columns: what compiling does for every single name, in C.
 *
 * `filterd.lists.columns` holds the contract, and in Python what each of these must give.
 */
#ifndef FILTERD_COLUMNS_H
#define FILTERD_COLUMNS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>
#include <string.h>

/* A key where it lies, and the place it has among all. */
typedef struct {
    uint64_t eight; /* its octets at the depth that is being sorted, big endian, 0 behind its end */
    const uint8_t *at;
    uint32_t size, place;
} key;

enum { MOST_KEYS = 1 << 24 }; /* the library adds weights up in floats, which are exact so far */

/* In the order of their octets; a shorter one before those that it begins. No key holds a 0. */
void keys_sort(key *keys, size_t count);

/* numbers[place] of each key, as marisa-trie numbers them; 0 when memory does not suffice. */
int keys_number(const key *sorted, uint32_t count, uint32_t *numbers);

/* turned(names, line) -> (keys, lines) of the first half, then of the second. */
PyObject *columns_turned(PyObject *module, PyObject *args);

/* claim(ids, lines, sets, to, number) -> places of the ids that have a set already. */
PyObject *columns_claim(PyObject *module, PyObject *args);

#endif
