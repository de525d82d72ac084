/* Arrow columns as they come from Python: (validity or None, data, offset). */

#ifndef PREDSURV_ROWS_COLUMNS_H
#define PREDSURV_ROWS_COLUMNS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

typedef struct { Py_buffer valid, data; int has_valid, held; Py_ssize_t offset; } Column;

static inline void column_release(Column *self)
{
    if (self->held)
        PyBuffer_Release(&self->data);
    if (self->has_valid)
        PyBuffer_Release(&self->valid);
    self->held = self->has_valid = 0;
}

/* Take the buffers of a column of `count` values of `width` bytes. -1 with an exception. */
static inline int column_take(Column *self, PyObject *given, Py_ssize_t count, Py_ssize_t width)
{
    PyObject *valid, *data;
    memset(self, 0, sizeof *self);
    if (!PyTuple_Check(given) || !PyArg_ParseTuple(given, "OOn", &valid, &data, &self->offset))
        return -1;
    if (PyObject_GetBuffer(data, &self->data, PyBUF_SIMPLE) < 0)
        return -1;
    self->held = 1;
    if (valid != Py_None) {
        if (PyObject_GetBuffer(valid, &self->valid, PyBUF_SIMPLE) < 0)
            return -1;
        self->has_valid = 1;
    }
    if (self->offset < 0 || self->data.len < (self->offset + count) * width
        || (self->has_valid && self->valid.len * 8 < self->offset + count)) {
        PyErr_SetString(PyExc_ValueError, "a column is shorter than its rows");
        return -1;
    }
    return 0;
}

static inline int column_has(const Column *self, Py_ssize_t row)
{
    Py_ssize_t at = self->offset + row;
    return !self->has_valid || (((const uint8_t *)self->valid.buf)[at / 8] >> at % 8 & 1);
}

static inline int64_t column_int64(const Column *self, Py_ssize_t row)
{
    int64_t value;
    memcpy(&value, (const char *)self->data.buf + (self->offset + row) * (Py_ssize_t)sizeof value, sizeof value);
    return value;
}

static inline int32_t column_int32(const Column *self, Py_ssize_t row)
{
    int32_t value;
    memcpy(&value, (const char *)self->data.buf + (self->offset + row) * (Py_ssize_t)sizeof value, sizeof value);
    return value;
}

/* A float64 as micros, rounded half to even as Arrow does; -1 when it is no size or price. */
static inline int64_t column_micros(const Column *self, Py_ssize_t row)
{
    double value;
    memcpy(&value, (const char *)self->data.buf + (self->offset + row) * (Py_ssize_t)sizeof value, sizeof value);
    value = nearbyint(value * 1e6);
    return value >= 0 && value < 9007199254740992.0 ? (int64_t)value : -1;
}

#endif
