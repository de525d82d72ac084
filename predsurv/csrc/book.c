/* What a book holds and how a change is folded in: what book.py's PythonBookCore does. */

#include "state.h"

static Ladder *side_of(Book *self, PyObject *side)
{
    const Module *module = self->module;
    int bids = side == module->bid
        || (side != module->ask && PyUnicode_Check(side) && PyUnicode_Compare(side, module->bid) == 0);
    PyObject *ladder = bids ? self->bids : self->asks;
    if (ladder == NULL || !PyObject_TypeCheck(ladder, module->ladder)) {
        PyErr_SetString(PyExc_TypeError, "a side of this book is no ladder");
        return NULL;
    }
    return (Ladder *)ladder;
}

static PyObject *book_change(Book *self, PyObject *event)
{
    const Module *module = self->module;
    if (!Py_IS_TYPE(event, module->delta)) {
        PyErr_SetString(PyExc_TypeError, "change(event: BookDelta)");
        return NULL;
    }
    if (!self->trusted)
        Py_RETURN_FALSE;
    Ladder *ladder = side_of(self, slot(event, module->delta_at.side));
    if (ladder == NULL)
        return NULL;
    int64_t price = PyLong_AsLongLong(slot(event, module->delta_at.price));
    int64_t size = PyLong_AsLongLong(slot(event, module->delta_at.size));
    if (((price == -1 || size == -1) && PyErr_Occurred()) || ladder_put(ladder, price, size) < 0)
        return NULL;
    const Py_ssize_t fields[] = {module->delta_at.ts_recv, module->delta_at.ts_venue, module->delta_at.epoch,
                                 module->delta_at.seq};
    for (int i = 0; i < 4; i++)
        Py_XSETREF(self->stamps[i], Py_NewRef(slot(event, fields[i])));
    self->plain = 0;
    Py_RETURN_TRUE;
}

int book_load(Book *self, const PackedBook *packed)
{
    if (self->bids == NULL || self->asks == NULL || !PyObject_TypeCheck(self->bids, self->module->ladder)
        || !PyObject_TypeCheck(self->asks, self->module->ladder)) {
        PyErr_SetString(PyExc_TypeError, "a side of this book is no ladder");
        return -1;
    }
    if (ladder_load((Ladder *)self->bids, packed->rungs, packed->bids) < 0
        || ladder_load((Ladder *)self->asks, packed->rungs + packed->bids, packed->asks) < 0)
        return -1;
    self->numbers[STAMP_TS_RECV] = packed->ts;
    self->numbers[STAMP_TS_VENUE] = packed->ts_venue;
    self->numbers[STAMP_EPOCH] = packed->epoch_number;
    self->numbers[STAMP_SEQ] = packed->seq;
    self->plain = self->trusted = 1;
    return 0;
}

static PyObject *book_load_packed(Book *self, PyObject *packed)
{
    if (!Py_IS_TYPE(packed, self->module->packed_book)) {
        PyErr_SetString(PyExc_TypeError, "load(packed: PackedBook)");
        return NULL;
    }
    return book_load(self, (PackedBook *)packed) < 0 ? NULL : Py_NewRef(Py_None);
}

/* A stamp, a new reference. */
static PyObject *stamp(Book *self, int which)
{
    if (self->plain)
        return self->numbers[which] == INT64_MIN ? Py_NewRef(Py_None) : PyLong_FromLongLong(self->numbers[which]);
    return Py_NewRef(self->stamps[which] != NULL ? self->stamps[which] : Py_None);
}

PyObject *book_ts_venue(Book *self) { return stamp(self, STAMP_TS_VENUE); }

static PyObject *get_stamp(Book *self, void *which) { return stamp(self, (int)(intptr_t)which); }

static int set_stamp(Book *self, PyObject *value, void *which)
{
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "a stamp cannot be deleted");
        return -1;
    }
    for (int i = 0; self->plain && i < 4; i++) {
        PyObject *held = stamp(self, i);
        if (held == NULL)
            return -1;
        Py_XSETREF(self->stamps[i], held);
    }
    self->plain = 0;
    Py_XSETREF(self->stamps[(intptr_t)which], Py_NewRef(value));
    return 0;
}

static PyObject *new_ladder(const Module *module, int descending)
{
    PyObject *none = PyTuple_New(0), *how = Py_BuildValue("{s:i}", "descending", descending), *ladder = NULL;
    if (none != NULL && how != NULL)
        ladder = PyObject_Call((PyObject *)module->ladder, none, how);
    Py_XDECREF(none);
    Py_XDECREF(how);
    return ladder;
}

static PyObject *book_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    Module *module = module_of(type);
    PyObject *made = module == NULL ? NULL : PyType_GenericNew(type, args, keywords);
    if (made != NULL)
        ((Book *)made)->module = module;
    return made;
}

static int book_init(Book *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"key", NULL};
    PyObject *key;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O", names, &key))
        return -1;
    Py_XSETREF(self->key, Py_NewRef(key));
    Py_XSETREF(self->bids, new_ladder(self->module, 1));
    Py_XSETREF(self->asks, new_ladder(self->module, 0));
    self->numbers[STAMP_TS_RECV] = self->numbers[STAMP_EPOCH] = 0;
    self->numbers[STAMP_TS_VENUE] = self->numbers[STAMP_SEQ] = INT64_MIN;
    self->plain = 1;
    self->trusted = 0;
    return self->bids != NULL && self->asks != NULL ? 0 : -1;
}

static int book_traverse(Book *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->key);
    Py_VISIT(self->bids);
    Py_VISIT(self->asks);
    return 0;
}

static int book_clear(Book *self)
{
    Py_CLEAR(self->key);
    Py_CLEAR(self->bids);
    Py_CLEAR(self->asks);
    for (int i = 0; i < 4; i++)
        Py_CLEAR(self->stamps[i]);
    return 0;
}

static void book_dealloc(Book *self)
{
    PyObject_GC_UnTrack(self);
    book_clear(self);
    free_instance(self);
}

/* A side of a book as a ladder; NULL with an exception. */
static const Ladder *ladder_of(Book *self, int side)
{
    PyObject *ladder = side == 0 ? self->bids : self->asks;
    if (ladder == NULL || !PyObject_TypeCheck(ladder, self->module->ladder)) {
        PyErr_SetString(PyExc_TypeError, "a side of this book is no ladder");
        return NULL;
    }
    return (const Ladder *)ladder;
}

static PyObject *best_of(Book *self, int side)
{
    const Ladder *ladder = ladder_of(self, side);
    return ladder == NULL ? NULL : ladder_best_level(ladder);
}

static PyObject *tell_best_bid(Book *self, PyObject *Py_UNUSED(ignored)) { return best_of(self, 0); }

static PyObject *tell_best_ask(Book *self, PyObject *Py_UNUSED(ignored)) { return best_of(self, 1); }

/* Whether the best bid is at or above the best ask; -1 with an exception. */
static int is_crossed(Book *self)
{
    const Ladder *bids = ladder_of(self, 0), *asks = ladder_of(self, 1);
    if (bids == NULL || asks == NULL)
        return -1;
    return bids->count && asks->count && ladder_best_price(bids, 0) >= ladder_best_price(asks, 0);
}

static PyObject *tell_crossed(Book *self, PyObject *Py_UNUSED(ignored))
{
    int crossed = is_crossed(self);
    return crossed < 0 ? NULL : PyBool_FromLong(crossed);
}

static PyObject *tell_known(Book *self, PyObject *Py_UNUSED(ignored))
{
    int crossed = is_crossed(self);
    return crossed < 0 ? NULL : PyBool_FromLong(self->trusted && !crossed);
}

static PyMethodDef book_methods[] = {
    {"best_bid", (PyCFunction)tell_best_bid, METH_NOARGS, "Return the best bid, or None."},
    {"best_ask", (PyCFunction)tell_best_ask, METH_NOARGS, "Return the best ask, or None."},
    {"crossed", (PyCFunction)tell_crossed, METH_NOARGS, "Return whether the best bid is at or above the best ask."},
    {"known", (PyCFunction)tell_known, METH_NOARGS, "Return whether it is trusted and not crossed."},
    {"change", (PyCFunction)book_change, METH_O, "Apply a delta; False when the book is untrusted."},
    {"load", (PyCFunction)book_load_packed, METH_O, "Trust the book, which is what packed says from here on."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef book_members[] = {
    {"key", T_OBJECT_EX, offsetof(Book, key), 0, NULL},
    {"bids", T_OBJECT_EX, offsetof(Book, bids), 0, NULL},
    {"asks", T_OBJECT_EX, offsetof(Book, asks), 0, NULL},
    {"trusted", T_BOOL, offsetof(Book, trusted), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

#define STAMP(name, which) {name, (getter)get_stamp, (setter)set_stamp, NULL, (void *)(intptr_t)(which)}

static PyGetSetDef book_stamps[] = {
    STAMP("_ts_recv", STAMP_TS_RECV),
    STAMP("_ts_venue", STAMP_TS_VENUE),
    STAMP("_epoch", STAMP_EPOCH),
    STAMP("_seq", STAMP_SEQ),
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot book_slots[] = {
    {Py_tp_doc, "What a book holds; see book.py."},
    {Py_tp_new, book_new},
    {Py_tp_init, book_init},
    {Py_tp_dealloc, book_dealloc},
    {Py_tp_traverse, book_traverse},
    {Py_tp_clear, book_clear},
    {Py_tp_methods, book_methods},
    {Py_tp_members, book_members},
    {Py_tp_getset, book_stamps},
    {0, NULL},
};

PyType_Spec book_spec = {
    .name = "predsurv._speedups.NativeBookCore",
    .basicsize = sizeof(Book),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = book_slots,
};
