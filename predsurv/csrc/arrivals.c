/* The order of the records of a log segment: what store/seal/runs.py does with a kernel of Arrow per step. */

#include "columns.h"

PyObject *arrival_numbers(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_buffer times;
    Py_ssize_t offset, count;
    PyObject *made = NULL;
    if (!PyArg_ParseTuple(args, "y*nn", &times, &offset, &count))
        return NULL;
    Py_ssize_t held = times.len / (Py_ssize_t)sizeof(int64_t);
    if (offset < 0 || count < 0 || count > INT32_MAX || offset > held || count > held - offset)
        PyErr_SetString(PyExc_ValueError, "there are not so many times");
    else
        made = PyBytes_FromStringAndSize(NULL, count * (Py_ssize_t)sizeof(int32_t));
    if (made != NULL) {
        const char *in = (const char *)times.buf + offset * (Py_ssize_t)sizeof(int64_t);
        char *out = PyBytes_AS_STRING(made);
        int64_t latest = INT64_MIN;
        int32_t first = 0;
        Py_BEGIN_ALLOW_THREADS /* a segment is sealed beside a recorder: nothing here is anybody else's yet */
        for (int32_t i = 0; i < (int32_t)count; i++) {
            int64_t time;
            memcpy(&time, in + (size_t)i * sizeof time, sizeof time);
            if (time > latest || i == 0) {
                latest = time;
                first = i;
            }
            int32_t arrival = time == latest ? i - first : i;
            memcpy(out + (size_t)i * sizeof arrival, &arrival, sizeof arrival);
        }
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&times);
    return made;
}

/* Mark what is named; how much remains of `count`. */
static Py_ssize_t mark(char *named, Py_ssize_t count, const Py_buffer *positions)
{
    Py_ssize_t left = count;
    for (Py_ssize_t i = 0; i < positions->len / (Py_ssize_t)sizeof(int32_t); i++) {
        int32_t position;
        memcpy(&position, (const char *)positions->buf + i * (Py_ssize_t)sizeof position, sizeof position);
        if (position >= 0 && position < count && !named[position]) {
            named[position] = 1;
            left--;
        }
    }
    return left;
}

PyObject *all_but(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_buffer positions;
    Py_ssize_t count;
    PyObject *made = NULL;
    if (!PyArg_ParseTuple(args, "ny*", &count, &positions))
        return NULL;
    char *named = count >= 0 && count <= INT32_MAX ? PyMem_Calloc((size_t)count + 1, 1) : NULL;
    if (named == NULL)
        PyErr_SetString(PyExc_ValueError, "a segment does not hold so many records");
    else
        made = PyBytes_FromStringAndSize(NULL, mark(named, count, &positions) * (Py_ssize_t)sizeof(int32_t));
    if (made != NULL) {
        char *out = PyBytes_AS_STRING(made);
        for (int32_t i = 0; i < (int32_t)count; i++)
            if (!named[i]) {
                memcpy(out, &i, sizeof i);
                out += sizeof i;
            }
    }
    PyMem_Free(named);
    PyBuffer_Release(&positions);
    return made;
}
