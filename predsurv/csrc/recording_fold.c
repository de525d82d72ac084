/* Fold plain level changes: what recording/reducer.py does for each of them. */

#include "parts.h"
#include "recording.h"

typedef struct {
    const Module *module;
    PyObject *lines, *out, *heap, *order;
    int64_t mark, hour_end, interval;
} Fold;

static int same_number(PyObject *a, PyObject *b)
{
    return a == b || (a != NULL && b != NULL && PyObject_RichCompareBool(a, b, Py_EQ) == 1);
}

/* The book changed and is due: what Tops.changed does. */
static int put_in_line(Fold *self, PyObject *line, PyObject *ts_recv, int64_t ts)
{
    const Module *module = self->module;
    int64_t shown_at = number_at(line, module->line_at.shown_at), due = shown_at + self->interval;
    if (shown_at == -1 && PyErr_Occurred())
        return -1;
    PyObject *when = due < ts ? Py_NewRef(ts_recv) : PyLong_FromLongLong(due);
    if (when == NULL || push(module, self->heap, when, self->order, line) < 0) {
        Py_XDECREF(when);
        return -1;
    }
    return store(line, module->line_at.due, when) < 0 || store(line, module->line_at.pending, Py_NewRef(Py_True)) < 0 ? -1 : 0;
}

/* Whether the line's row is to be written before this event. */
static int is_overdue(const Module *module, PyObject *line, int64_t ts)
{
    int64_t due = number_at(line, module->line_at.due), changed_at = number_at(line, module->line_at.changed_at);
    return due < ts && changed_at < ts;
}

/* Fold a change of a line that is not overdue: as fold_one. */
static int fold_change(Fold *self, PyObject *event, PyObject *line, int64_t ts)
{
    const Module *module = self->module;
    PyObject *ts_recv = slot(event, module->delta_at.ts_recv), *book = Py_NewRef(slot(line, module->line_at.book));
    PyObject *changed = PyObject_CallMethodOneArg(book, module->change, event);
    Py_DECREF(book);
    if (changed != Py_True) {
        Py_XDECREF(changed);
        return changed == NULL ? -1 : 0;
    }
    Py_DECREF(changed);
    if (store(line, module->line_at.changed_at, Py_NewRef(ts_recv)) < 0 || PyList_Append(self->out, event) < 0)
        return -1;
    if (ts > self->mark)
        self->mark = ts;
    int pending = slot(line, module->line_at.pending) == Py_True;
    return pending || put_in_line(self, line, ts_recv, ts) == 0 ? 1 : -1;
}

/* Fold one event: 1 folded, 0 for somebody more patient, -1 an exception. */
static int fold_one(Fold *self, PyObject *event)
{
    const Module *module = self->module;
    if (!Py_IS_TYPE(event, module->delta))
        return 0;
    int64_t ts = PyLong_AsLongLong(slot(event, module->delta_at.ts_recv));
    if (ts == -1 && PyErr_Occurred())
        return -1;
    if (ts < self->mark || (ts > self->mark && ts >= self->hour_end))
        return 0;
    PyObject *line = PyDict_GetItemWithError(self->lines, slot(event, module->delta_at.key));
    if (line == NULL || !Py_IS_TYPE(line, module->line) || slot(line, module->line_at.book) == NULL)
        return PyErr_Occurred() ? -1 : 0;
    int overdue = slot(line, module->line_at.pending) == Py_True && is_overdue(module, line, ts);
    int other = overdue || !same_number(slot(event, module->delta_at.epoch), slot(line, module->line_at.epoch));
    if (other || PyErr_Occurred())
        return PyErr_Occurred() ? -1 : 0;
    Py_INCREF(line);
    int folded = fold_change(self, event, line, ts);
    Py_DECREF(line);
    return folded;
}

static PyObject *fold_changes(PyObject *module, PyObject *args)
{
    PyObject *events;
    Py_ssize_t at;
    long long mark, hour_end, interval;
    Fold self = {.module = PyModule_GetState(module)};
    if (recording_prepare(PyModule_GetState(module)) < 0)
        return NULL;
    if (!PyArg_ParseTuple(args, "O!nLLO!O!O!OL", &PyList_Type, &events, &at, &mark, &hour_end, &PyDict_Type,
                          &self.lines, &PyList_Type, &self.out, &PyList_Type, &self.heap, &self.order, &interval))
        return NULL;
    if (!PyIter_Check(self.order)) {
        PyErr_SetString(PyExc_TypeError, "the order is an iterator");
        return NULL;
    }
    self.mark = mark;
    self.hour_end = hour_end;
    self.interval = interval;
    for (; at >= 0 && at < PyList_GET_SIZE(events); at++) {
        PyObject *event = Py_NewRef(PyList_GET_ITEM(events, at));
        int folded = fold_one(&self, event);
        Py_DECREF(event);
        if (folded < 0)
            return NULL;
        if (!folded)
            break;
    }
    return Py_BuildValue("nL", at, (long long)self.mark);
}

PyMethodDef recording_functions[] = {
    {"fold_changes", fold_changes, METH_VARARGS, "Fold plain level changes; see recording/reducer.py."},
    {"show_due", show_due, METH_VARARGS, "Write the rows that are due; see recording/snapshots.py."},
    {NULL, NULL, 0, NULL},
};
