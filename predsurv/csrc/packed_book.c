/* A whole book as rows of native integers: what core/packed_book.py's PythonPackedBook does. */

#include "packed_book.h"

#include "parts.h"
#include "runs.h"
#include "wire_text.h"

static int beyond_64_bits(void)
{
    PyErr_SetString(PyExc_OverflowError, "64 bits do not hold this number");
    return -1;
}

/* A number that has to fit, `absent` allowed for None. -1 with an exception. */
static int take_number(PyObject *given, int maybe, int64_t *value)
{
    int beyond = 0;
    *value = maybe && given == Py_None ? ABSENT : value_of(given, &beyond);
    return beyond ? beyond_64_bits() : *value == -1 && PyErr_Occurred() ? -1 : 0;
}

PackedBook *packed_book_new(Module *module, PyObject *key, PyObject *ts_recv, PyObject *epoch, Py_ssize_t room)
{
    int64_t ts, number;
    if (take_number(ts_recv, 0, &ts) < 0 || take_number(epoch, 0, &number) < 0)
        return NULL;
    PackedBook *self = PyObject_New(PackedBook, module->packed_book);
    if (self == NULL)
        return NULL;
    self->module = module;
    self->key = Py_NewRef(key);
    self->ts_recv = Py_NewRef(ts_recv);
    self->epoch = Py_NewRef(epoch);
    self->ts = ts;
    self->epoch_number = number;
    self->ts_venue = self->seq = ABSENT;
    self->bids = self->asks = 0;
    self->rungs = PyMem_Malloc((size_t)(room > 0 ? room : 1) * sizeof(Rung));
    if (self->rungs == NULL) {
        Py_DECREF(self);
        PyErr_NoMemory();
        return NULL;
    }
    return self;
}

static PyObject *number_or_none(int64_t value)
{
    return value == ABSENT ? Py_NewRef(Py_None) : PyLong_FromLongLong(value);
}

/* The levels of a side, the best first. */
static PyObject *levels_of(Module *module, const Rung *rungs, Py_ssize_t count, int sign)
{
    PyObject *levels = PyTuple_New(count);
    for (Py_ssize_t i = 0; levels != NULL && i < count; i++) {
        Rung rung = rungs[count - 1 - i];
        int64_t number = sign * rung.rank;
        PyObject *price = is_price(number) ? price_of(module, number) : PyLong_FromLongLong(number);
        PyObject *size = PyLong_FromLongLong(rung.size);
        PyObject *level = price != NULL && size != NULL ? PyTuple_Pack(2, price, size) : NULL;
        Py_XDECREF(price);
        Py_XDECREF(size);
        if (level == NULL) {
            Py_CLEAR(levels);
        } else {
            PyObject_GC_UnTrack(level); /* two numbers are in no cycle: the collector would find that out at some cost */
            PyTuple_SET_ITEM(levels, i, level);
        }
    }
    return levels;
}

PyObject *packed_book_event(const PackedBook *self)
{
    PyObject *ts_venue = number_or_none(self->ts_venue), *seq = number_or_none(self->seq), *event = NULL;
    PyObject *bids = levels_of(self->module, self->rungs, self->bids, 1);
    PyObject *asks = levels_of(self->module, self->rungs + self->bids, self->asks, -1);
    if (ts_venue != NULL && seq != NULL && bids != NULL && asks != NULL) {
        PyObject *given[] = {self->key, self->ts_recv, ts_venue, self->epoch, seq, bids, asks};
        event = PyObject_Vectorcall((PyObject *)self->module->snapshot, given, 7, NULL);
    }
    Py_XDECREF(ts_venue);
    Py_XDECREF(seq);
    Py_XDECREF(bids);
    Py_XDECREF(asks);
    return event;
}

/* Take a side, best first: each level better than the one after it, and none empty. -1 with an exception. */
static int take_side(Rung *rungs, PyObject *levels, int sign)
{
    for (Py_ssize_t i = 0, count = PyTuple_GET_SIZE(levels); i < count; i++) {
        PyObject *level = PyTuple_GET_ITEM(levels, i);
        int64_t price;
        Rung *rung = &rungs[count - 1 - i];
        if (!PyTuple_Check(level) || PyTuple_GET_SIZE(level) != 2) {
            PyErr_SetString(PyExc_TypeError, "a level is a tuple of price and size");
            return -1;
        }
        if (take_number(PyTuple_GET_ITEM(level, 0), 0, &price) < 0
            || take_number(PyTuple_GET_ITEM(level, 1), 0, &rung->size) < 0)
            return -1;
        rung->rank = sign * price;
        if (rung->size == 0 || (i > 0 && rung->rank >= rung[1].rank)) {
            PyErr_SetString(PyExc_ValueError, "levels come best first, and none is empty");
            return -1;
        }
    }
    return 0;
}

static PackedBook *of_snapshot(Module *module, PyObject *snapshot)
{
    PyObject *bids = slot(snapshot, module->snapshot_at.bids), *asks = slot(snapshot, module->snapshot_at.asks);
    if (!PyTuple_Check(bids) || !PyTuple_Check(asks)) {
        PyErr_SetString(PyExc_TypeError, "a side of a book is a tuple of levels");
        return NULL;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(bids);
    PackedBook *self = packed_book_new(module, slot(snapshot, module->snapshot_at.key),
                                       slot(snapshot, module->snapshot_at.ts_recv),
                                       slot(snapshot, module->snapshot_at.epoch), count + PyTuple_GET_SIZE(asks));
    if (self == NULL)
        return NULL;
    self->bids = count;
    self->asks = PyTuple_GET_SIZE(asks);
    if (take_number(slot(snapshot, module->snapshot_at.ts_venue), 1, &self->ts_venue) < 0
        || take_number(slot(snapshot, module->snapshot_at.seq), 1, &self->seq) < 0 || take_side(self->rungs, bids, 1) < 0
        || take_side(self->rungs + count, asks, -1) < 0)
        Py_CLEAR(self);
    return self;
}

static PyObject *book_make(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    PyObject *given;
    Module *module = module_of(type);
    if (module == NULL)
        return NULL;
    if (!PyArg_ParseTuple(args, "O!", module->snapshot, &given) || (keywords != NULL && PyDict_GET_SIZE(keywords) > 0))
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "PackedBook(snapshot)");
    return (PyObject *)of_snapshot(module, given);
}

static PyObject *book_iter(PackedBook *self)
{
    PyObject *event = packed_book_event(self), *alone = event == NULL ? NULL : PyTuple_Pack(1, event);
    PyObject *iterator = alone == NULL ? NULL : PyObject_GetIter(alone);
    Py_XDECREF(event);
    Py_XDECREF(alone);
    return iterator;
}

static Py_ssize_t book_length(PackedBook *Py_UNUSED(self)) { return 1; }

static PyObject *book_key(PackedBook *self, void *Py_UNUSED(closure)) { return Py_NewRef(self->key); }

static PyObject *book_ts_recv(PackedBook *self, void *Py_UNUSED(closure)) { return Py_NewRef(self->ts_recv); }

static PyObject *book_epoch(PackedBook *self, void *Py_UNUSED(closure)) { return Py_NewRef(self->epoch); }

static PyObject *ts_venue_of(PackedBook *self, void *Py_UNUSED(closure)) { return number_or_none(self->ts_venue); }

static void book_dealloc(PackedBook *self)
{
    PyMem_Free(self->rungs);
    Py_XDECREF(self->key);
    Py_XDECREF(self->ts_recv);
    Py_XDECREF(self->epoch);
    free_instance(self);
}

static PyGetSetDef properties[] = {
    {"key", (getter)book_key, NULL, "The instrument.", NULL},
    {"ts_recv", (getter)book_ts_recv, NULL, "When it was received, ns UTC.", NULL},
    {"ts_venue", (getter)ts_venue_of, NULL, "The venue's time, ns UTC, or None.", NULL},
    {"epoch", (getter)book_epoch, NULL, "The connection.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "A whole book; see core/packed_book.py."},
    {Py_tp_new, book_make},
    {Py_tp_dealloc, book_dealloc},
    {Py_tp_free, PyObject_Free},
    {Py_tp_iter, book_iter},
    {Py_tp_getset, properties},
    {Py_sq_length, book_length},
    {0, NULL},
};

PyType_Spec packed_book_spec = {
    .name = "predsurv._speedups.NativePackedBook",
    .basicsize = sizeof(PackedBook),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};
