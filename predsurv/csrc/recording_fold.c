/* Fold plain level changes, trades and packed books: what recording/reducer.py does for each of them. */

#include "parts.h"
#include "recording.h"
#include "state.h"

static int same_number(PyObject *a, PyObject *b)
{
    return a == b || (a != NULL && b != NULL && PyObject_RichCompareBool(a, b, Py_EQ) == 1);
}

int put_in_line(Recording *self, PyObject *line, PyObject *ts_recv, int64_t ts)
{
    int64_t shown_at = number_at(line, self->module->line_at.shown_at), due = shown_at + self->interval;
    if (shown_at == -1 && PyErr_Occurred())
        return -1;
    PyObject *when = due < ts ? Py_NewRef(ts_recv) : PyLong_FromLongLong(due);
    if (when == NULL || push(self->module, self->heap, when, self->order, line) < 0) {
        Py_XDECREF(when);
        return -1;
    }
    return store(line, self->module->line_at.due, when) < 0 || store(line, self->module->line_at.pending, Py_NewRef(Py_True)) < 0 ? -1 : 0;
}

/* Whether the line's row is to be written before this event. */
static int is_overdue(const Recording *self, PyObject *line, int64_t ts)
{
    int64_t due = number_at(line, self->module->line_at.due), changed_at = number_at(line, self->module->line_at.changed_at);
    return due < ts && changed_at < ts;
}

/* Fold a change of a line that is not overdue: as fold_one. */
static int fold_change(Recording *self, PyObject *event, PyObject *line, int64_t ts)
{
    PyObject *ts_recv = slot(event, self->module->delta_at.ts_recv), *book = Py_NewRef(slot(line, self->module->line_at.book));
    PyObject *changed = PyObject_CallMethodOneArg(book, self->module->change, event);
    Py_DECREF(book);
    if (changed != Py_True) {
        Py_XDECREF(changed);
        return changed == NULL ? -1 : 0;
    }
    Py_DECREF(changed);
    if (store(line, self->module->line_at.changed_at, Py_NewRef(ts_recv)) < 0 || PyList_Append(self->out, event) < 0)
        return -1;
    if (ts > self->mark)
        self->mark = ts;
    int pending = slot(line, self->module->line_at.pending) == Py_True;
    return pending || put_in_line(self, line, ts_recv, ts) == 0 ? 1 : -1;
}

/* Whether an event of that time can be folded now: others are moved, or begin an hour. */
static int is_due(const Recording *self, int64_t ts)
{
    return ts == self->mark || (ts > self->mark && ts < self->hour_end);
}

/* Keep the trade of a recorded instrument: as fold_one. */
static int fold_trade(Recording *self, PyObject *event)
{
    int64_t ts = PyLong_AsLongLong(slot(event, self->module->trade_at.ts_recv));
    if ((ts == -1 && PyErr_Occurred()) || !is_due(self, ts))
        return PyErr_Occurred() ? -1 : 0;
    int recorded = PyDict_Contains(self->lines, slot(event, self->module->trade_at.key));
    if (recorded <= 0)
        return recorded;
    self->mark = ts;
    return PyList_Append(self->out, event) < 0 ? -1 : 1;
}

/* The trusted book of a line as events of `epoch` change it, borrowed; NULL where it has none, or with an exception. */
static Book *book_of(const Recording *self, PyObject *line, PyObject *epoch)
{
    PyObject *book = line != NULL && Py_IS_TYPE(line, self->module->line) ? slot(line, self->module->line_at.book) : NULL;
    if (book == NULL || !PyObject_TypeCheck(book, self->module->book) || !((Book *)book)->trusted
        || !same_number(slot(line, self->module->line_at.epoch), epoch))
        return NULL;
    return (Book *)book;
}

/* Fold a book that follows a trusted one of its connection, so that nothing changes in its coverage: as fold_one. */
static int fold_book(Recording *self, PyObject *event)
{
    const PackedBook *packed = (PackedBook *)event;
    if (!self->books || !is_due(self, packed->ts))
        return 0;
    PyObject *line = PyDict_GetItemWithError(self->lines, packed->key);
    Book *book = book_of(self, line, packed->epoch);
    if (book == NULL || (slot(line, self->module->line_at.pending) == Py_True && is_overdue(self, line, packed->ts)) || PyErr_Occurred())
        return PyErr_Occurred() ? -1 : 0;
    Py_INCREF(line);
    int failed = book_load(book, packed) < 0 || store(line, self->module->line_at.changed_at, Py_NewRef(packed->ts_recv)) < 0
        || store(line, self->module->line_at.told_at, Py_NewRef(packed->ts_recv)) < 0 || PyList_Append(self->out, event) < 0
        || (slot(line, self->module->line_at.pending) != Py_True && put_in_line(self, line, packed->ts_recv, packed->ts) < 0);
    Py_DECREF(line);
    self->mark = packed->ts;
    return failed ? -1 : 1;
}

/* Fold level changes that come as one object: as fold_one. */
static int fold_run(Recording *self, const LevelChanges *changes)
{
    if (!is_due(self, changes->ts))
        return 0;
    self->mark = changes->ts;
    return fold_level_changes(self, changes) < 0 ? -1 : 1;
}

/* Fold one event: 1 folded, 0 for somebody more patient, -1 an exception. */
static int fold_one(Recording *self, PyObject *event)
{
    if (Py_IS_TYPE(event, self->module->level_changes))
        return fold_run(self, (LevelChanges *)event);
    if (Py_IS_TYPE(event, self->module->trade))
        return fold_trade(self, event);
    if (Py_IS_TYPE(event, self->module->packed_book))
        return fold_book(self, event);
    if (!Py_IS_TYPE(event, self->module->delta))
        return 0;
    int64_t ts = PyLong_AsLongLong(slot(event, self->module->delta_at.ts_recv));
    if ((ts == -1 && PyErr_Occurred()) || !is_due(self, ts))
        return PyErr_Occurred() ? -1 : 0;
    PyObject *line = PyDict_GetItemWithError(self->lines, slot(event, self->module->delta_at.key));
    if (line == NULL || !Py_IS_TYPE(line, self->module->line) || slot(line, self->module->line_at.book) == NULL)
        return PyErr_Occurred() ? -1 : 0;
    int overdue = slot(line, self->module->line_at.pending) == Py_True && is_overdue(self, line, ts);
    int other = overdue || !same_number(slot(event, self->module->delta_at.epoch), slot(line, self->module->line_at.epoch));
    if (other || PyErr_Occurred())
        return PyErr_Occurred() ? -1 : 0;
    Py_INCREF(line);
    int folded = fold_change(self, event, line, ts);
    Py_DECREF(line);
    return folded;
}

static PyObject *fold_events(PyObject *module, PyObject *args)
{
    PyObject *events;
    Py_ssize_t at;
    long long mark, hour_end, interval, heartbeat;
    Recording self = {.module = PyModule_GetState(module)};
    if (recording_prepare(PyModule_GetState(module)) < 0)
        return NULL;
    if (!PyArg_ParseTuple(args, "O!nLLO!O!O!OLO!Lp", &PyList_Type, &events, &at, &mark, &hour_end, &PyDict_Type,
                          &self.lines, &PyList_Type, &self.out, &PyList_Type, &self.heap, &self.order, &interval,
                          &PyLong_Type, &self.levels, &heartbeat, &self.books))
        return NULL;
    if (!PyIter_Check(self.order)) {
        PyErr_SetString(PyExc_TypeError, "the order is an iterator");
        return NULL;
    }
    self.mark = mark;
    self.hour_end = hour_end;
    self.interval = interval;
    self.heartbeat = heartbeat;
    for (; at >= 0 && at < PyList_GET_SIZE(events); at++) {
        PyObject *event = Py_NewRef(PyList_GET_ITEM(events, at));
        int folded = fold_one(&self, event);
        Py_DECREF(event);
        if (folded < 0)
            return NULL;
        if (!folded)
            break;
    }
    return Py_BuildValue("nLnn", at, (long long)self.mark, self.strays, self.orphans);
}

PyMethodDef recording_functions[] = {
    {"fold_events", fold_events, METH_VARARGS, "Fold what is plain; see recording/reducer.py."},
    {"show_due", show_due, METH_VARARGS, "Write the rows that are due; see recording/snapshots.py."},
    {NULL, NULL, 0, NULL},
};
