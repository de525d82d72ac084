/* Kalshi's level changes, the most frequent frames: parsed, numbered and added up as KalshiCodec does.

   A frame is taken only when nothing about it is unusual: its fields are in their present form, its number is the next
   one, and what it leaves of the level is a size. Every other one is left whole, with nothing changed, to Python. */

#include "level_changes.h"
#include "parts.h"
#include "runs.h"
#include "wire_text.h"

#define SIZE_MAX_MICROS 1000000000000000000LL /* as in decoder.py */
#define NUMBER_DIGITS_MAX 18

/* What a frame says; -1 where it does not. */
typedef struct { Text ticker; int64_t sid, seq, ts_ms, sending_ts_ms, price, change; int no; } Delta;

/* Take a number as JSON writes one without sign and fraction; NULL when it is none. */
static const char *take_integer(const char *at, const char *end, int64_t *value)
{
    const char *start = at;
    int64_t number = 0;
    while (at < end && *at >= '0' && *at <= '9' && at - start < NUMBER_DIGITS_MAX)
        number = number * 10 + (*at++ - '0');
    if (at == start || (*start == '0' && at - start > 1) || (at < end && *at >= '0' && *at <= '9'))
        return NULL;
    *value = number;
    return at;
}

/* Decimal text with an optional sign as micros; 0 when it is no number in its present form. */
static int take_signed(Text text, int64_t *value)
{
    int negative = text.size > 0 && *text.at == '-';
    int64_t size = micros((Text){text.at + negative, text.size - negative});
    *value = negative ? -size : size;
    return size >= 0;
}

enum { TICKER = 1, SIDE = 2, PRICE = 4, CHANGE = 8, TIME = 16, OLD_PRICE = 32, OLD_CHANGE = 64, BODY_FIELDS = 15 };

/* Take the value of a field of the body; NULL when it is not in its present form. */
static const char *take_body_value(Text name, const char *at, const char *end, Delta *out, unsigned *said)
{
    unsigned seen = *said;
    Text text;
    int64_t number = 0;
    int is_text = at < end && *at == '"';
    at = is_text ? take_text(at, end, &text) : take_integer(at, end, &number);
    if (at == NULL)
        return NULL;
    if (IS(name, "market_ticker") && is_text) {
        ONCE(TICKER, NULL);
        out->ticker = text;
    } else if (IS(name, "side") && is_text) {
        ONCE(SIDE, NULL);
        out->no = IS(text, "no");
        if (!out->no && !IS(text, "yes"))
            return NULL;
    } else if (IS(name, "price_dollars") && is_text) {
        ONCE(PRICE, NULL);
        if (!is_price(out->price = micros(text)))
            return NULL;
    } else if (IS(name, "delta_fp") && is_text) {
        ONCE(CHANGE, NULL);
        if (!take_signed(text, &out->change))
            return NULL;
    } else if (IS(name, "ts_ms") && !is_text) {
        ONCE(TIME, NULL);
        out->ts_ms = number;
    } else if (IS(name, "price") && !is_text) { /* of the form before, where both were sent */
        ONCE(OLD_PRICE, NULL);
    } else if (IS(name, "delta") && !is_text) {
        ONCE(OLD_CHANGE, NULL);
    } else if (IS(name, "market_ticker") || IS(name, "side") || IS(name, "price_dollars") || IS(name, "delta_fp")
               || IS(name, "ts_ms") || IS(name, "price") || IS(name, "delta")) {
        return NULL;
    }
    *said = seen;
    return at;
}

static const char *take_body(const char *at, const char *end, Delta *out)
{
    unsigned seen = 0;
    Text name;
    if (at >= end || *at++ != '{')
        return NULL;
    for (;;) {
        if ((at = take_name(at, end, &name)) == NULL || (at = take_body_value(name, at, end, out, &seen)) == NULL
            || (at = skip_spaces(at, end)) >= end)
            return NULL;
        if (*at == '}')
            return (seen & BODY_FIELDS) == BODY_FIELDS ? at + 1 : NULL;
        if (*at++ != ',')
            return NULL;
    }
}

enum { TYPE = 1, SID = 2, SEQ = 4, MSG = 8, SENDING = 16, FRAME_FIELDS = 15 };

/* Take the value of a field of the envelope; NULL when it is not in its present form. */
static const char *take_value(Text name, const char *at, const char *end, Delta *out, unsigned *said)
{
    unsigned seen = *said;
    Text text;
    if (IS(name, "msg")) {
        ONCE(MSG, NULL);
        at = take_body(at, end, out);
    } else if (IS(name, "type")) {
        ONCE(TYPE, NULL);
        at = take_text(at, end, &text);
        if (at == NULL || !IS(text, "orderbook_delta"))
            return NULL;
    } else if (IS(name, "sid")) {
        ONCE(SID, NULL);
        at = take_integer(at, end, &out->sid);
    } else if (IS(name, "seq")) {
        ONCE(SEQ, NULL);
        at = take_integer(at, end, &out->seq);
    } else if (IS(name, "sending_ts_ms")) {
        ONCE(SENDING, NULL);
        at = take_integer(at, end, &out->sending_ts_ms);
    } else {
        return NULL;
    }
    *said = seen;
    return at;
}

static int read_delta(PyObject *frame, Delta *out)
{
    const char *at = PyBytes_AS_STRING(frame), *end = at + PyBytes_GET_SIZE(frame);
    unsigned seen = 0;
    Text name;
    if (at == end || *at != '{' || !plain(at, end - at))
        return 0;
    at++;
    for (;;) {
        if ((at = take_name(at, end, &name)) == NULL || (at = take_value(name, at, end, out, &seen)) == NULL
            || (at = skip_spaces(at, end)) >= end)
            return 0;
        if (*at == '}')
            return (seen & FRAME_FIELDS) == FRAME_FIELDS && at + 1 == end;
        if (*at++ != ',')
            return 0;
    }
}

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

/* Whether the frame is the next of its subscription; -1 with an exception. Its sid goes to `sid`, a new reference. */
static int is_next(Reader *self, const Delta *delta, PyObject **sid)
{
    *sid = PyLong_FromLongLong(delta->sid);
    PyObject *last = *sid == NULL ? NULL : PyDict_GetItemWithError(self->last, *sid);
    if (last == NULL)
        return PyErr_Occurred() ? -1 : 0;
    int beyond;
    int64_t number = value_of(last, &beyond);
    return number == -1 && PyErr_Occurred() ? -1 : !beyond && number == delta->seq - 1;
}

/* What the change leaves of a level, borrowed sizes by price: -1 what is no size, -2 an exception. */
static int64_t size_after(PyObject *sizes, PyObject *price, int64_t change)
{
    if (sizes == NULL || !PyDict_CheckExact(sizes)) {
        PyErr_SetString(PyExc_TypeError, "a side of a book is a dict");
        return -2;
    }
    PyObject *before = PyDict_GetItemWithError(sizes, price);
    int beyond = 0;
    int64_t held = before == NULL ? 0 : value_of(before, &beyond);
    if (PyErr_Occurred())
        return -2;
    return beyond || held < 0 || held > SIZE_MAX_MICROS || held + change < 0 || held + change > SIZE_MAX_MICROS
        ? -1 : held + change;
}

static int put_size(PyObject *sizes, PyObject *price, int64_t size)
{
    if (size == 0) {
        int held = PyDict_Contains(sizes, price);
        return held <= 0 ? held : PyDict_DelItem(sizes, price);
    }
    PyObject *number = PyLong_FromLongLong(size);
    int failed = number == NULL || PyDict_SetItem(sizes, price, number) < 0;
    Py_XDECREF(number);
    return failed ? -1 : 0;
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
    PyObject *sizes = slot(book, delta->no ? self->module->market_book_at.asks : self->module->market_book_at.bids);
    int64_t shown = delta->no ? MICROS - delta->price : delta->price;
    PyObject *price = price_of(self->module, shown);
    int64_t size = price == NULL ? -2 : size_after(sizes, price, delta->change);
    int failed = size == -2 || (size >= 0 && put_size(sizes, price, size) < 0);
    Py_XDECREF(price);
    if (failed || size < 0)
        return failed ? -1 : 0;
    return tell(self, to, delta, live, shown, size) < 0 ? -1 : 1;
}

/* The book of a ticker, borrowed, NULL without an exception when nobody wants it. */
static PyObject *book_of(Reader *self, Text ticker)
{
    PyObject *name = remembered_text(self->module, ticker), *book = NULL;
    if (name != NULL)
        book = PyDict_GetItemWithError(self->books, name);
    Py_XDECREF(name);
    if (book != NULL && !Py_IS_TYPE(book, self->module->market_book)) {
        PyErr_SetString(PyExc_TypeError, "the books are MarketBooks by ticker");
        return NULL;
    }
    return book;
}

/* Take one frame: 1 taken, 0 left to Python, -1 an exception. */
static int take_frame(Reader *self, PyObject *frame, Reading *to)
{
    Delta delta = {.sid = -1};
    PyObject *sid;
    if (!PyBytes_CheckExact(frame) || !read_delta(frame, &delta))
        return 0;
    int taken = is_next(self, &delta, &sid);
    PyObject *book = taken == 1 ? Py_XNewRef(book_of(self, delta.ticker)) : NULL;
    PyObject *live = book != NULL ? Py_XNewRef(slot(book, self->module->market_book_at.live)) : NULL;
    if (taken == 1 && PyErr_Occurred())
        taken = -1;
    if (taken == 1 && live != NULL && PyTuple_Check(live) && PyTuple_GET_SIZE(live) > 0)
        taken = apply(self, to, &delta, book, live);
    if (taken == 1) {
        PyObject *seq = PyLong_FromLongLong(delta.seq);
        if (seq == NULL || PyDict_SetItem(self->last, sid, seq) < 0)
            taken = -1;
        Py_XDECREF(seq);
    }
    Py_XDECREF(live);
    Py_XDECREF(book);
    Py_XDECREF(sid);
    return taken;
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
    Reading to = {args[2], args[3], PyList_GET_SIZE(args[0]) - at, NULL};
    for (; at >= 0 && at < PyList_GET_SIZE(args[0]); at++) {
        PyObject *frame = Py_NewRef(PyList_GET_ITEM(args[0], at));
        int taken = take_frame(self, frame, &to);
        Py_DECREF(frame);
        if (taken < 0)
            return NULL;
        if (!taken)
            break;
    }
    return PyLong_FromSsize_t(at);
}

static int prepare(Module *module)
{
    if (module->market_book != NULL)
        return 0;
    PyTypeObject *found = core_type("predsurv.venues.kalshi.books", "MarketBook");
    if (found == NULL || !AT(module->market_book_at, found, bids) || !AT(module->market_book_at, found, asks)
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
