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

static inline int run_int32(Run *run, int32_t value)
{
    char *place = run_grow(run, sizeof value);
    if (place == NULL)
        return -1;
    memcpy(place, &value, sizeof value);
    return 0;
}

static inline int run_int64(Run *run, int64_t value)
{
    char *place = run_grow(run, sizeof value);
    if (place == NULL)
        return -1;
    memcpy(place, &value, sizeof value);
    return 0;
}

/* Append a number that has to fit. */
static inline int run_number(Run *run, PyObject *number)
{
    int64_t value = PyLong_AsLongLong(number);
    return (value == -1 && PyErr_Occurred()) ? -1 : run_int64(run, value);
}

/* Append a number, or ABSENT for None and for what 64 bits do not hold. */
static inline int run_maybe(Run *run, PyObject *number)
{
    int beyond = 0;
    int64_t value = ABSENT;
    if (number != Py_None) {
        value = PyLong_AsLongLongAndOverflow(number, &beyond);
        if (value == -1 && !beyond && PyErr_Occurred())
            return -1;
        if (beyond)
            value = ABSENT;
    }
    return run_int64(run, value);
}

/* The run as bytes; when all its int64 are equal and `short_form`, the first of them says it all. */
static inline PyObject *run_bytes(const Run *run, int short_form)
{
    Py_ssize_t size = run->size, item = sizeof(int64_t);
    if (short_form && size > item && memcmp(run->content, run->content + item, (size_t)(size - item)) == 0)
        size = item;
    return PyBytes_FromStringAndSize(size ? run->content : "", size);
}

#endif
