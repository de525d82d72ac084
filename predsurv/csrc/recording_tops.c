/* Snapshot rows of the books that are due: what recording/snapshots.py does for each of them. */

#include "recording.h"
#include "state.h"

int store(PyObject *object, Py_ssize_t offset, PyObject *value)
{
    if (value == NULL)
        return -1;
    PyObject **place = (PyObject **)((char *)object + offset);
    Py_XSETREF(*place, value);
    return 0;
}

int64_t number_at(PyObject *object, Py_ssize_t offset)
{
    PyObject *value = slot(object, offset);
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "a line without a time");
        return -1;
    }
    return PyLong_AsLongLong(value);
}

int push(const Module *module, PyObject *heap, PyObject *when, PyObject *order, PyObject *line)
{
    PyObject *number = PyIter_Next(order);
    PyObject *entry = number != NULL ? PyTuple_Pack(3, when, number, line) : NULL;
    PyObject *pushed = entry != NULL ? PyObject_CallFunctionObjArgs(module->heappush, heap, entry, NULL) : NULL;
    Py_XDECREF(number);
    Py_XDECREF(entry);
    Py_XDECREF(pushed);
    return pushed == NULL ? -1 : 0;
}

/* Whether a side is as it was shown last; -1 with an exception. */
static int unchanged(PyObject *line, Py_ssize_t offset, PyObject *side)
{
    PyObject *shown = slot(line, offset);
    return side == shown ? 1 : shown == NULL ? 0 : PyObject_RichCompareBool(side, shown, Py_EQ);
}

static int write_row(const Module *module, PyObject *line, Book *book, PyObject *ts, PyObject *const sides[2], PyObject *out)
{
    PyObject *ts_venue = book_ts_venue(book);
    PyObject *given[] = {book->key, ts, ts_venue, sides[0], sides[1], Py_True};
    PyObject *row = book->key != NULL && ts_venue != NULL ? PyObject_Vectorcall((PyObject *)module->top, given, 6, NULL) : NULL;
    int failed = row == NULL || PyList_Append(out, row) < 0;
    Py_XDECREF(ts_venue);
    Py_XDECREF(row);
    if (failed)
        return -1;
    return store(line, module->line_at.bids, Py_NewRef(sides[0])) < 0 || store(line, module->line_at.asks, Py_NewRef(sides[1])) < 0
        || store(line, module->line_at.shown_at, Py_NewRef(ts)) < 0 ? -1 : 0;
}

/* What SnapshotSampler.sample does. */
int show_row(const Module *module, PyObject *line, PyObject *levels, int64_t heartbeat, PyObject *out)
{
    Book *book = (Book *)slot(line, module->line_at.book);
    int64_t due = number_at(line, module->line_at.due), changed_at = number_at(line, module->line_at.changed_at);
    int64_t shown_at = number_at(line, module->line_at.shown_at);
    if (PyErr_Occurred() || store(line, module->line_at.pending, Py_NewRef(Py_False)) < 0)
        return -1;
    if (book == NULL || !PyObject_TypeCheck(book, module->book) || book->bids == NULL || book->asks == NULL) {
        PyErr_SetString(PyExc_TypeError, "a line without a book");
        return -1;
    }
    PyObject *ts = Py_NewRef(slot(line, due > changed_at ? module->line_at.due : module->line_at.changed_at));
    PyObject *bids = PyObject_CallMethodOneArg(book->bids, module->packed, levels);
    PyObject *asks = bids == NULL ? NULL : PyObject_CallMethodOneArg(book->asks, module->packed, levels);
    int same = asks == NULL ? -1 : unchanged(line, module->line_at.bids, bids);
    if (same == 1)
        same = unchanged(line, module->line_at.asks, asks);
    if (same == 0 || (same == 1 && (due > changed_at ? due : changed_at) >= shown_at + heartbeat)) {
        PyObject *const sides[] = {bids, asks};
        same = write_row(module, line, book, ts, sides, out);
    }
    Py_DECREF(ts);
    Py_XDECREF(bids);
    Py_XDECREF(asks);
    return same < 0 ? -1 : 0;
}

/* Take one entry of the heap: a row is written, or there is nothing to write (any more). */
static int take_entry(const Module *module, PyObject *entry, int64_t mark, PyObject *const how[4], int64_t heartbeat)
{
    PyObject *heap = how[0], *order = how[1], *levels = how[2], *out = how[3];
    PyObject *line = PyTuple_GET_ITEM(entry, 2);
    if (!Py_IS_TYPE(line, module->line)) {
        PyErr_SetString(PyExc_TypeError, "an entry is of a line");
        return -1;
    }
    int64_t entered = PyLong_AsLongLong(PyTuple_GET_ITEM(entry, 0)), due = number_at(line, module->line_at.due);
    int64_t changed_at = number_at(line, module->line_at.changed_at);
    if (PyErr_Occurred())
        return -1;
    if (slot(line, module->line_at.pending) != Py_True || entered < due) /* shown already; it may be due again later */
        return 0;
    if (changed_at >= mark) /* more may come at this very instant */
        return push(module, heap, slot(line, module->line_at.changed_at), order, line);
    return show_row(module, line, levels, heartbeat, out);
}

/* The time of a heap's first entry, INT64_MAX when it is empty; -1 with an exception. */
static int64_t first_time(PyObject *heap)
{
    if (PyList_GET_SIZE(heap) == 0)
        return INT64_MAX;
    PyObject *entry = PyList_GET_ITEM(heap, 0);
    if (!PyTuple_Check(entry) || PyTuple_GET_SIZE(entry) != 3) {
        PyErr_SetString(PyExc_TypeError, "an entry is (time, number, line)");
        return -1;
    }
    return PyLong_AsLongLong(PyTuple_GET_ITEM(entry, 0));
}

PyObject *show_due(PyObject *given, PyObject *args)
{
    Module *module = PyModule_GetState(given);
    PyObject *heap, *order, *levels, *out;
    long long mark, heartbeat;
    if (recording_prepare(module) < 0)
        return NULL;
    if (!PyArg_ParseTuple(args, "O!LOO!LO!", &PyList_Type, &heap, &mark, &order, &PyLong_Type, &levels, &heartbeat,
                          &PyList_Type, &out))
        return NULL;
    if (!PyIter_Check(order)) {
        PyErr_SetString(PyExc_TypeError, "the order is an iterator");
        return NULL;
    }
    PyObject *const how[] = {heap, order, levels, out};
    int64_t first;
    while ((first = first_time(heap)) < mark) {
        PyObject *entry = first == -1 && PyErr_Occurred() ? NULL : PyObject_CallOneArg(module->heappop, heap);
        int failed = entry == NULL || take_entry(module, entry, mark, how, heartbeat) < 0;
        Py_XDECREF(entry);
        if (failed)
            return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *of_heapq(const char *name)
{
    PyObject *heapq = PyImport_ImportModule("heapq");
    PyObject *found = heapq == NULL ? NULL : PyObject_GetAttrString(heapq, name);
    Py_XDECREF(heapq);
    return found;
}

int recording_prepare(Module *module)
{
    if (module->line != NULL)
        return 0;
    Py_XSETREF(module->change, PyUnicode_InternFromString("change"));
    Py_XSETREF(module->packed, PyUnicode_InternFromString("packed"));
    Py_XSETREF(module->heappush, of_heapq("heappush"));
    Py_XSETREF(module->heappop, of_heapq("heappop"));
    PyTypeObject *line = core_type("predsurv.collect.recording.instrument", "RecordedInstrument");
    if (module->change == NULL || module->packed == NULL || module->heappush == NULL || module->heappop == NULL
        || line == NULL || !AT(module->line_at, line, book) || !AT(module->line_at, line, bids)
        || !AT(module->line_at, line, asks) || !AT(module->line_at, line, pending) || !AT(module->line_at, line, due)
        || !AT(module->line_at, line, changed_at) || !AT(module->line_at, line, epoch)
        || !AT(module->line_at, line, shown_at) || !AT(module->line_at, line, told_at)) {
        Py_XDECREF(line);
        return -1;
    }
    module->line = line; /* last: it says that all was found */
    return 0;
}
