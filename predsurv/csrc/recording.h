/* The recorder's lines (recording/instrument.py) as the fold and the tops see them. */

#ifndef PREDSURV_RECORDING_H
#define PREDSURV_RECORDING_H

#include "level_changes.h"
#include "module.h"

/* Where the rows of one call are written and queued, and when they are due. `lines` and `levels` as show_due and
   fold_events have them, `mark`: the time of the latest event. */
typedef struct {
    const Module *module;
    PyObject *lines, *out, *heap, *order, *levels;
    int64_t mark, hour_end, interval, heartbeat;
    int books; /* whether books can be trusted at all */
    Py_ssize_t strays, orphans;
} Recording;

/* Find out, once, where fields lie: of changes, lines, books and tops. -1 with an exception. */
int recording_prepare(Module *module);

/* show_due(heap, mark, order, levels, heartbeat, out): write the rows due before `mark`. */
PyObject *show_due(PyObject *module, PyObject *args);

/* Write the row of a pending book as of its due time, none when its best levels are the same. -1 with an exception. */
int show_row(const Module *module, PyObject *line, PyObject *levels, int64_t heartbeat, PyObject *out);

/* The book of a line changed at `ts` and a row is due: what SnapshotSampler.book_changed does. -1 with an exception. */
int put_in_line(Recording *self, PyObject *line, PyObject *ts_recv, int64_t ts);

/* Fold level changes that come as one object. -1 with an exception. */
int fold_level_changes(Recording *to, const LevelChanges *changes);

/* Put `value`, whose reference it takes, into a slot. -1 when there is none. */
int store(PyObject *object, Py_ssize_t offset, PyObject *value);

/* A time in a slot; -1 with an exception, as no time is. */
int64_t number_at(PyObject *object, Py_ssize_t offset);

/* Push (when, next of order, line) onto a heap. -1 with an exception. */
int push(const Module *module, PyObject *heap, PyObject *when, PyObject *order, PyObject *line);

#endif
