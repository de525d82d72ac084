/* Snapshot rows of the books that are due: what recording/snapshots.py does for each of them. */

#include "recording.h"
#include "state.h"

PyTypeObject *line_type;
LineSlots line_at;

static PyObject *top_type, *heappush, *heappop, *packed_text;

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

int push(PyObject *heap, PyObject *when, PyObject *order, PyObject *line)
{
    PyObject *number = PyIter_Next(order);
    PyObject *entry = number != NULL ? PyTuple_Pack(3, when, number, line) : NULL;
    PyObject *pushed = entry != NULL ? PyObject_CallFunctionObjArgs(heappush, heap, entry, NULL) : NULL;
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

static int write_row(PyObject *line, Book *book, PyObject *ts, PyObject *const sides[2], PyObject *out)
{
    PyObject *ts_venue = book_ts_venue(book);
    PyObject *given[] = {book->key, ts, ts_venue, sides[0], sides[1], Py_True};
    PyObject *row = book->key != NULL && ts_venue != NULL ? PyObject_Vectorcall(top_type, given, 6, NULL) : NULL;
    int failed = row == NULL || PyList_Append(out, row) < 0;
    Py_XDECREF(ts_venue);
    Py_XDECREF(row);
    if (failed)
        return -1;
    return store(line, line_at.bids, Py_NewRef(sides[0])) < 0 || store(line, line_at.asks, Py_NewRef(sides[1])) < 0
        || store(line, line_at.shown_at, Py_NewRef(ts)) < 0 ? -1 : 0;
}

/* What SnapshotSampler.sample does. */
int show_row(PyObject *line, PyObject *levels, int64_t heartbeat, PyObject *out)
{
    Book *book = (Book *)slot(line, line_at.book);
    int64_t due = number_at(line, line_at.due), changed_at = number_at(line, line_at.changed_at);
    int64_t shown_at = number_at(line, line_at.shown_at);
    if (PyErr_Occurred() || store(line, line_at.pending, Py_NewRef(Py_False)) < 0)
        return -1;
    if (book == NULL || !PyObject_TypeCheck(book, &book_type) || book->bids == NULL || book->asks == NULL) {
        PyErr_SetString(PyExc_TypeError, "a line without a book");
        return -1;
    }
    PyObject *ts = Py_NewRef(slot(line, due > changed_at ? line_at.due : line_at.changed_at));
    PyObject *bids = PyObject_CallMethodOneArg(book->bids, packed_text, levels);
    PyObject *asks = bids == NULL ? NULL : PyObject_CallMethodOneArg(book->asks, packed_text, levels);
    int same = asks == NULL ? -1 : unchanged(line, line_at.bids, bids);
    if (same == 1)
        same = unchanged(line, line_at.asks, asks);
    if (same == 0 || (same == 1 && (due > changed_at ? due : changed_at) >= shown_at + heartbeat)) {
        PyObject *const sides[] = {bids, asks};
        same = write_row(line, book, ts, sides, out);
    }
    Py_DECREF(ts);
    Py_XDECREF(bids);
    Py_XDECREF(asks);
    return same < 0 ? -1 : 0;
}

/* Take one entry of the heap: a row is written, or there is nothing to write (any more). */
static int take_entry(PyObject *entry, int64_t mark, PyObject *const how[4], int64_t heartbeat)
{
    PyObject *heap = how[0], *order = how[1], *levels = how[2], *out = how[3];
    PyObject *line = PyTuple_GET_ITEM(entry, 2);
    if (!Py_IS_TYPE(line, line_type)) {
        PyErr_SetString(PyExc_TypeError, "an entry is of a line");
        return -1;
    }
    int64_t entered = PyLong_AsLongLong(PyTuple_GET_ITEM(entry, 0)), due = number_at(line, line_at.due);
    int64_t changed_at = number_at(line, line_at.changed_at);
    if (PyErr_Occurred())
        return -1;
    if (slot(line, line_at.pending) != Py_True || entered < due) /* shown already; it may be due again later */
        return 0;
    if (changed_at >= mark) /* more may come at this very instant */
        return push(heap, slot(line, line_at.changed_at), order, line);
    return show_row(line, levels, heartbeat, out);
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

PyObject *show_due(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *heap, *order, *levels, *out;
    long long mark, heartbeat;
    if (recording_prepare() < 0)
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
        PyObject *entry = first == -1 && PyErr_Occurred() ? NULL : PyObject_CallOneArg(heappop, heap);
        int failed = entry == NULL || take_entry(entry, mark, how, heartbeat) < 0;
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

int tops_prepare(void)
{
    Py_XSETREF(heappush, of_heapq("heappush"));
    Py_XSETREF(heappop, of_heapq("heappop"));
    Py_XSETREF(packed_text, PyUnicode_InternFromString("packed"));
    Py_XSETREF(top_type, (PyObject *)core_type("predsurv.core.records", "BookTop"));
    return heappush != NULL && heappop != NULL && packed_text != NULL && top_type != NULL ? 0 : -1;
}

int lines_prepare(void)
{
    Py_XSETREF(line_type, core_type("predsurv.collect.recording.instrument", "RecordedInstrument"));
    if (line_type == NULL)
        return -1;
    int found = (line_at.book = slot_of(line_type, "book")) && (line_at.bids = slot_of(line_type, "bids"))
        && (line_at.asks = slot_of(line_type, "asks")) && (line_at.pending = slot_of(line_type, "pending"))
        && (line_at.due = slot_of(line_type, "due")) && (line_at.changed_at = slot_of(line_type, "changed_at"))
        && (line_at.epoch = slot_of(line_type, "epoch")) && (line_at.shown_at = slot_of(line_type, "shown_at"));
    return found ? 0 : -1;
}
