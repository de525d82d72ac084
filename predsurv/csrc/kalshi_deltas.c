/* Kalshi's level changes, the most frequent frames: numbered and added up as KalshiCodec does.

   A frame is taken only when nothing about it is unusual: its fields are in their present form, its number is the next
   one, and what it leaves of the level is a size. Every other one is left whole, with nothing changed, to Python. */

#include "kalshi_scan.h"
#include "level_changes.h"
#include "parts.h"
#include "runs.h"
#include "state.h"

#define SIZE_MAX_MICROS 1000000000000000000LL /* as in decoder.py */
#define FRAMES_AHEAD 2
#define FRAME_BYTES 320 /* of a usual message */

typedef struct {
    PyObject_HEAD
    Module *module;
    PyObject *books, *last, *epoch;
    char packed;
} Reader;

/* Where the changes of one call go. */
typedef struct {
    PyObject *ts_recv, *out;
    Py_ssize_t expected;   /* changes to come */
    LevelChanges *changes; /* those of `out` that more can be appended to, borrowed */
    int numbered;          /* whether the latest number of a subscription is here, and not in the reader's `last` */
    int64_t sid, seq;
} Reading;

static int append(Reader *self, Reading *to, LevelChange change)
{
    if (!self->packed) {
        PyObject *delta = level_change_event(self->module, to->ts_recv, self->epoch, &change);
        int failed = delta == NULL || PyList_Append(to->out, delta) < 0;
        Py_XDECREF(delta);
        return failed ? -1 : 0;
    }
    if (to->changes == NULL || to->changes->count >= CHANGES_MAX) {
        Py_ssize_t room = to->expected < CHANGES_MAX ? to->expected : CHANGES_MAX;
        LevelChanges *fresh = level_changes_new(self->module, to->ts_recv, self->epoch, room);
        int failed = fresh == NULL || PyList_Append(to->out, (PyObject *)fresh) < 0;
        Py_XDECREF(fresh);
        if (failed)
            return -1;
        to->changes = fresh;
    }
    return level_changes_add(to->changes, change);
}

/* Let `last` say the latest number, as it has to before anybody else looks. -1 with an exception. */
static int put_number(Reader *self, Reading *to)
{
    if (!to->numbered)
        return 0;
    to->numbered = 0;
    PyObject *sid = PyLong_FromLongLong(to->sid), *seq = PyLong_FromLongLong(to->seq);
    int failed = sid == NULL || seq == NULL || PyDict_SetItem(self->last, sid, seq) < 0;
    Py_XDECREF(sid);
    Py_XDECREF(seq);
    return failed ? -1 : 0;
}

/* Whether the frame is the next of its subscription; -1 with an exception. */
static int is_next(Reader *self, Reading *to, const Delta *delta)
{
    if (to->numbered && to->sid == delta->sid)
        return to->seq == delta->seq - 1;
    PyObject *sid = put_number(self, to) < 0 ? NULL : PyLong_FromLongLong(delta->sid);
    PyObject *last = sid == NULL ? NULL : PyDict_GetItemWithError(self->last, sid);
    int beyond;
    int64_t number = last == NULL ? 0 : value_of(last, &beyond);
    Py_XDECREF(sid);
    if (PyErr_Occurred())
        return -1;
    return last != NULL && !beyond && number == delta->seq - 1;
}

static int tell(Reader *self, Reading *to, const Delta *delta, PyObject *live, int64_t price, int64_t size)
{
    int64_t sent = delta->ts_ms ? delta->ts_ms : delta->sending_ts_ms;
    int64_t ts_venue = is_plausible(sent) ? sent * MICROS : ABSENT;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(live); i++) {
        PyObject *pair = PyTuple_GET_ITEM(live, i);
        if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
            PyErr_SetString(PyExc_TypeError, "an outcome is a key and whether it is mirrored");
            return -1;
        }
        int mirrored = PyTuple_GET_ITEM(pair, 1) == Py_True;
        LevelChange change = {PyTuple_GET_ITEM(pair, 0), ts_venue, delta->seq, mirrored ? MICROS - price : price, size,
                              delta->no != mirrored};
        if (append(self, to, change) < 0)
            return -1;
    }
    return 0;
}

/* Apply a change to a book with outcomes that hear of it: 1 applied, 0 left to Python, -1 an exception. */
static int apply(Reader *self, Reading *to, const Delta *delta, PyObject *book, PyObject *live)
{
    PyObject *side = slot(book, delta->no ? self->module->market_book_at.asks : self->module->market_book_at.bids);
    if (side == NULL || !PyObject_TypeCheck(side, self->module->ladder)) {
        PyErr_SetString(PyExc_TypeError, "a side of a book is a ladder");
        return -1;
    }
    int64_t price = delta->no ? MICROS - delta->price : delta->price, held = ladder_size((Ladder *)side, price);
    if (held < 0 || held > SIZE_MAX_MICROS || held + delta->change < 0 || held + delta->change > SIZE_MAX_MICROS)
        return 0;
    if (ladder_put((Ladder *)side, price, held + delta->change) < 0)
        return -1;
    return tell(self, to, delta, live, price, held + delta->change) < 0 ? -1 : 1;
}

/* The book of a ticker, borrowed, NULL without an exception when nobody wants it. */
static PyObject *book_of(Reader *self, Text ticker)
{
    PyObject *name = remembered_text(self->module, ticker), *book = NULL;
    if (name != NULL)
        book = PyDict_GetItemWithError(self->books, name);
    Py_XDECREF(name);
    if (book == NULL)
        return NULL;
    if (!Py_IS_TYPE(book, self->module->market_book)) {
        PyErr_SetString(PyExc_TypeError, "the books are MarketBooks by ticker");
        return NULL;
    }
    PyObject *known = slot(book, self->module->market_book_at.ticker);
    if (known != name && known != NULL)
        remember_text(self->module, ticker, known); /* as the dict has it */
    return book;
}

/* Take one frame: 1 taken, 0 left to Python, -1 an exception. */
static int take_frame(Reader *self, PyObject *frame, Reading *to)
{
    Delta delta = {.sid = -1};
    if (!PyBytes_CheckExact(frame) || !read_delta(frame, &delta))
        return 0;
    int taken = is_next(self, to, &delta);
    if (taken <= 0)
        return taken;
    PyObject *book = Py_XNewRef(book_of(self, delta.ticker));
    PyObject *live = book != NULL ? Py_XNewRef(slot(book, self->module->market_book_at.live)) : NULL;
    if (PyErr_Occurred())
        taken = -1;
    else if (live != NULL && PyTuple_Check(live) && PyTuple_GET_SIZE(live) > 0)
        taken = apply(self, to, &delta, book, live);
    if (taken == 1) {
        to->numbered = 1;
        to->sid = delta.sid;
        to->seq = delta.seq;
    }
    Py_XDECREF(live);
    Py_XDECREF(book);
    return taken;
}

/* Fetch a frame that is read soon. */
static inline void fetch_frame(PyObject *frames, Py_ssize_t at)
{
    if (at < PyList_GET_SIZE(frames)) {
        const char *frame = (const char *)PyList_GET_ITEM(frames, at);
        for (int i = 0; i < FRAME_BYTES; i += 64)
            FETCH(frame + i);
    }
}

/* Take frames from `at` on, up to the first that is left to Python; return the number of that one, -1 an exception. */
static Py_ssize_t take_frames(Reader *self, PyObject *frames, Py_ssize_t at, Reading *to)
{
    for (; at < PyList_GET_SIZE(frames); at++) {
        PyObject *frame = Py_NewRef(PyList_GET_ITEM(frames, at));
        fetch_frame(frames, at + FRAMES_AHEAD);
        int taken = take_frame(self, frame, to);
        Py_DECREF(frame);
        if (taken <= 0)
            return taken < 0 ? -1 : at;
    }
    return at;
}

static PyObject *reader_read(Reader *self, PyObject *const *args, Py_ssize_t count)
{
    if (count != 4 || !PyList_Check(args[0]) || !PyList_Check(args[3]) || self->books == NULL) {
        PyErr_SetString(PyExc_TypeError, "read(frames: list, at: int, ts_recv: int, out: list) of a reader that was made");
        return NULL;
    }
    Py_ssize_t at = PyLong_AsSsize_t(args[1]);
    if (at < 0 && PyErr_Occurred())
        return NULL;
    if (at < 0)
        return Py_NewRef(args[1]);
    Reading to = {.ts_recv = args[2], .out = args[3], .expected = PyList_GET_SIZE(args[0]) - at};
    at = take_frames(self, args[0], at, &to);
    PyObject *kind = NULL, *error = NULL, *trace = NULL;
    if (at < 0) /* what was applied counts, whatever happened then */
        PyErr_Fetch(&kind, &error, &trace);
    if (put_number(self, &to) < 0 && at >= 0)
        return NULL;
    if (at < 0)
        PyErr_Restore(kind, error, trace);
    return at < 0 ? NULL : PyLong_FromSsize_t(at);
}

static int prepare(Module *module)
{
    if (module->market_book != NULL)
        return 0;
    PyTypeObject *found = core_type("predsurv.venues.kalshi.books", "MarketBook");
    if (found == NULL || !AT(module->market_book_at, found, ticker) || !AT(module->market_book_at, found, bids) || !AT(module->market_book_at, found, asks)
        || !AT(module->market_book_at, found, live)) {
        Py_XDECREF(found);
        return -1;
    }
    module->market_book = found;
    return 0;
}

static int reader_init(Reader *self, PyObject *args, PyObject *Py_UNUSED(keywords))
{
    PyObject *books, *last, *epoch;
    int packed;
    if (!PyArg_ParseTuple(args, "O!O!O!p", &PyDict_Type, &books, &PyDict_Type, &last, &PyLong_Type, &epoch, &packed)
        || (self->module = module_of(Py_TYPE(self))) == NULL || prepare(self->module) < 0)
        return -1;
    Py_XSETREF(self->books, Py_NewRef(books));
    Py_XSETREF(self->last, Py_NewRef(last));
    Py_XSETREF(self->epoch, Py_NewRef(epoch));
    self->packed = (char)packed;
    return 0;
}

static int reader_traverse(Reader *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->books);
    Py_VISIT(self->last);
    return 0;
}

static int reader_clear(Reader *self)
{
    Py_CLEAR(self->books);
    Py_CLEAR(self->last);
    Py_CLEAR(self->epoch);
    return 0;
}

static void reader_dealloc(Reader *self)
{
    PyObject_GC_UnTrack(self);
    reader_clear(self);
    free_instance(self);
}

static PyMethodDef reader_methods[] = {
    {"read", (PyCFunction)(void (*)(void))reader_read, METH_FASTCALL, "Read frames from a place on; see decoder.py."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot reader_slots[] = {
    {Py_tp_doc, "Reads Kalshi's level changes; see decoder.py."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, reader_init},
    {Py_tp_dealloc, reader_dealloc},
    {Py_tp_traverse, reader_traverse},
    {Py_tp_clear, reader_clear},
    {Py_tp_methods, reader_methods},
    {0, NULL},
};

PyType_Spec kalshi_reader_spec = {
    .name = "predsurv._speedups.NativeDeltaReader",
    .basicsize = sizeof(Reader),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = reader_slots,
};
