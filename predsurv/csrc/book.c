/* What a book holds and how a change is folded in: what book.py's PythonBookCore does. */

#include "state.h"

static PyTypeObject *delta_type;
static PyObject *bid_text, *ask_text;
static struct { Py_ssize_t ts_recv, ts_venue, epoch, seq, side, price, size; } at;

int state_prepare(void)
{
    Py_XSETREF(delta_type, core_type("predsurv.core.events", "BookDelta"));
    Py_XSETREF(bid_text, PyUnicode_InternFromString("bid"));
    Py_XSETREF(ask_text, PyUnicode_InternFromString("ask"));
    if (delta_type == NULL || bid_text == NULL || ask_text == NULL)
        return -1;
    int found = (at.ts_recv = slot_of(delta_type, "ts_recv")) && (at.ts_venue = slot_of(delta_type, "ts_venue"))
        && (at.epoch = slot_of(delta_type, "epoch")) && (at.seq = slot_of(delta_type, "seq"))
        && (at.side = slot_of(delta_type, "side")) && (at.price = slot_of(delta_type, "price"))
        && (at.size = slot_of(delta_type, "size"));
    return found && PyType_Ready(&ladder_type) == 0 && PyType_Ready(&book_type) == 0 ? 0 : -1;
}

static Ladder *side_of(Book *self, PyObject *side)
{
    int bids = side == bid_text || (side != ask_text && PyUnicode_Check(side) && PyUnicode_Compare(side, bid_text) == 0);
    PyObject *ladder = bids ? self->bids : self->asks;
    if (ladder == NULL || !PyObject_TypeCheck(ladder, &ladder_type)) {
        PyErr_SetString(PyExc_TypeError, "a side of this book is no ladder");
        return NULL;
    }
    return (Ladder *)ladder;
}

static PyObject *book_change(Book *self, PyObject *event)
{
    if (!Py_IS_TYPE(event, delta_type)) {
        PyErr_SetString(PyExc_TypeError, "change(event: BookDelta)");
        return NULL;
    }
    if (!self->trusted)
        Py_RETURN_FALSE;
    Ladder *ladder = side_of(self, slot(event, at.side));
    if (ladder == NULL)
        return NULL;
    int64_t price = PyLong_AsLongLong(slot(event, at.price)), size = PyLong_AsLongLong(slot(event, at.size));
    if (((price == -1 || size == -1) && PyErr_Occurred()) || ladder_put(ladder, price, size) < 0)
        return NULL;
    const Py_ssize_t fields[] = {at.ts_recv, at.ts_venue, at.epoch, at.seq};
    for (int i = 0; i < 4; i++)
        Py_XSETREF(self->stamps[i], Py_NewRef(slot(event, fields[i])));
    self->plain = 0;
    Py_RETURN_TRUE;
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

static PyObject *new_ladder(int descending)
{
    PyObject *none = PyTuple_New(0), *how = Py_BuildValue("{s:i}", "descending", descending), *ladder = NULL;
    if (none != NULL && how != NULL)
        ladder = PyObject_Call((PyObject *)&ladder_type, none, how);
    Py_XDECREF(none);
    Py_XDECREF(how);
    return ladder;
}

static int book_init(Book *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"key", NULL};
    PyObject *key;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O", names, &key))
        return -1;
    Py_XSETREF(self->key, Py_NewRef(key));
    Py_XSETREF(self->bids, new_ladder(1));
    Py_XSETREF(self->asks, new_ladder(0));
    self->numbers[STAMP_TS_RECV] = self->numbers[STAMP_EPOCH] = 0;
    self->numbers[STAMP_TS_VENUE] = self->numbers[STAMP_SEQ] = INT64_MIN;
    self->plain = 1;
    self->trusted = 0;
    return self->bids != NULL && self->asks != NULL ? 0 : -1;
}

static int book_traverse(Book *self, visitproc visit, void *arg)
{
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
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMethodDef book_methods[] = {
    {"change", (PyCFunction)book_change, METH_O, "Apply a delta; False when the book is untrusted."},
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

PyTypeObject book_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "predsurv._speedups.NativeBookCore",
    .tp_basicsize = sizeof(Book),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "What a book holds; see book.py.",
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)book_init,
    .tp_dealloc = (destructor)book_dealloc,
    .tp_traverse = (traverseproc)book_traverse,
    .tp_clear = (inquiry)book_clear,
    .tp_methods = book_methods,
    .tp_members = book_members,
    .tp_getset = book_stamps,
};
