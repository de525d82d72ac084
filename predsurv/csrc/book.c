/* What a book holds and how a change is folded in: what book.py's PythonBookCore does. */

#include "state.h"

typedef struct {
    PyObject_HEAD
    PyObject *key, *bids, *asks, *ts_recv, *ts_venue, *epoch, *seq;
    char trusted;
} Book;

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
    Py_XSETREF(self->ts_recv, Py_NewRef(slot(event, at.ts_recv)));
    Py_XSETREF(self->ts_venue, Py_NewRef(slot(event, at.ts_venue)));
    Py_XSETREF(self->epoch, Py_NewRef(slot(event, at.epoch)));
    Py_XSETREF(self->seq, Py_NewRef(slot(event, at.seq)));
    Py_RETURN_TRUE;
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
    Py_XSETREF(self->ts_recv, PyLong_FromLong(0));
    Py_XSETREF(self->ts_venue, Py_NewRef(Py_None));
    Py_XSETREF(self->epoch, PyLong_FromLong(0));
    Py_XSETREF(self->seq, Py_NewRef(Py_None));
    self->trusted = 0;
    return self->bids != NULL && self->asks != NULL && self->ts_recv != NULL && self->epoch != NULL ? 0 : -1;
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
    Py_CLEAR(self->ts_recv);
    Py_CLEAR(self->ts_venue);
    Py_CLEAR(self->epoch);
    Py_CLEAR(self->seq);
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
    {"_ts_recv", T_OBJECT_EX, offsetof(Book, ts_recv), 0, NULL},
    {"_ts_venue", T_OBJECT_EX, offsetof(Book, ts_venue), 0, NULL},
    {"_epoch", T_OBJECT_EX, offsetof(Book, epoch), 0, NULL},
    {"_seq", T_OBJECT_EX, offsetof(Book, seq), 0, NULL},
    {NULL, 0, 0, 0, NULL},
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
};
