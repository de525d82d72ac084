/* The recorder's lines (recording/instrument.py) as the fold and the tops see them. */

#ifndef PREDSURV_RECORDING_H
#define PREDSURV_RECORDING_H

#include "module.h"

/* Find out, once, where fields lie: of changes, lines, books and tops. -1 with an exception. */
int recording_prepare(Module *module);

/* show_due(heap, mark, order, levels, heartbeat, out): write the rows due before `mark`. */
PyObject *show_due(PyObject *module, PyObject *args);

/* Write the row of a pending book as of its due time, none when its best levels are the same. -1 with an exception. */
int show_row(const Module *module, PyObject *line, PyObject *levels, int64_t heartbeat, PyObject *out);

/* Put `value`, whose reference it takes, into a slot. -1 when there is none. */
int store(PyObject *object, Py_ssize_t offset, PyObject *value);

/* A time in a slot; -1 with an exception, as no time is. */
int64_t number_at(PyObject *object, Py_ssize_t offset);

/* Push (when, next of order, line) onto a heap. -1 with an exception. */
int push(const Module *module, PyObject *heap, PyObject *when, PyObject *order, PyObject *line);

#endif
