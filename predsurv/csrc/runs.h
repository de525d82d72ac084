/* Runs of native integers that grow. */

#ifndef PREDSURV_RUNS_H
#define PREDSURV_RUNS_H

#include "slots.h"

#define ABSENT INT64_MIN /* None, or what cannot be true */

typedef struct { char *content; Py_ssize_t size, room; } Run;

/* Make room for what is to be expected, at once. -1 with an exception. */
static inline int run_expect(Run *run, Py_ssize_t bytes)
{
    run->content = PyMem_Malloc((size_t)bytes);
    run->room = run->content == NULL ? 0 : bytes;
    return run->content == NULL && PyErr_NoMemory() == NULL ? -1 : 0;
}

/* Make room for `more` bytes and return where they go; NULL with an exception. */
static inline char *run_grow(Run *run, Py_ssize_t more)
{
    if (run->size + more > run->room) {
        Py_ssize_t room = 2 * run->room + more + 256;
        char *content = PyMem_Realloc(run->content, (size_t)room);
        if (content == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        run->content = content;
        run->room = room;
    }
    char *place = run->content + run->size;
    run->size += more;
    return place;
}

static inline int run_int64(Run *run, int64_t value)
{
    char *place = run_grow(run, sizeof value);
    if (place == NULL)
        return -1;
    memcpy(place, &value, sizeof value);
    return 0;
}

/* The value of a number, `beyond` other than 0 when 64 bits do not hold it; -1 with an exception for what is none. */
static inline int64_t value_of(PyObject *number, int *beyond)
{
    *beyond = 0;
#if PY_VERSION_HEX < 0x030C0000 && PyLong_SHIFT == 30
    /* Most numbers here have two or three digits, for which the interpreter takes the long way round. */
    if (PyLong_CheckExact(number)) {
        const digit *digits = ((PyLongObject *)number)->ob_digit;
        switch (Py_SIZE(number)) {
        case 0: return 0;
        case 1: return digits[0];
        case 2: return digits[0] | (int64_t)digits[1] << 30;
        case 3:
            if (digits[2] < 8)
                return digits[0] | (int64_t)digits[1] << 30 | (int64_t)digits[2] << 60;
        }
    }
#endif
    return PyLong_AsLongLongAndOverflow(number, beyond);
}

/* Append a number that has to fit. */
static inline int run_number(Run *run, PyObject *number)
{
    int beyond;
    int64_t value = value_of(number, &beyond);
    if (beyond)
        PyErr_SetString(PyExc_OverflowError, "64 bits do not hold this number");
    return (value == -1 && PyErr_Occurred()) ? -1 : run_int64(run, value);
}

/* Append a number, or ABSENT for None and for what 64 bits do not hold. */
static inline int run_maybe(Run *run, PyObject *number)
{
    int beyond = 0;
    int64_t value = number == Py_None ? ABSENT : value_of(number, &beyond);
    if (value == -1 && !beyond && PyErr_Occurred())
        return -1;
    return run_int64(run, beyond ? ABSENT : value);
}

#endif
