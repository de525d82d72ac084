/* Polymarket's price changes, trades and books, read without the texts in between.

   The same as fast_decoder.py. What is not in its present form is left to the patient reader in Python, so a
   message that this does not understand costs time and nothing more. What it takes means the same to both; tests
   compare them. */

#include "level_changes.h"
#include "parts.h"
#include "polymarket_books.h"
#include "polymarket_scan.h"
#include "polymarket_trades.h"
#include "runs.h"

#define TOKEN_MAX 256  /* of a remembered text; others are not worth it */
#define FRAMES_AHEAD 2
#define FRAME_BYTES 640 /* of a usual message */
#define GRID 100       /* micros between two remembered prices */

/* Where a text is remembered. */
static PyObject **place_of(Module *module, Text token)
{
    uint64_t mixed = (uint64_t)token.size;
    if (token.size >= 8)
        memcpy(&mixed, token.at + token.size - 8, 8);
    return &module->tokens[(mixed * 0x9E3779B97F4A7C15ULL) >> (64 - TOKEN_BITS)];
}

void remember_text(Module *module, Text token, PyObject *text)
{
    PyObject **place = place_of(module, token);
    if (*place != NULL && *place != text && PyUnicode_CheckExact(text) && PyUnicode_Compare(*place, text) == 0)
        Py_SETREF(*place, Py_NewRef(text));
}

PyObject *remembered_text(Module *module, Text token)
{
    if (token.size > TOKEN_MAX)
        return PyUnicode_FromStringAndSize(token.at, token.size);
    PyObject **place = place_of(module, token);
    if (*place != NULL && PyUnicode_GET_LENGTH(*place) == token.size
        && memcmp(PyUnicode_1BYTE_DATA(*place), token.at, (size_t)token.size) == 0)
        return Py_NewRef(*place);
    PyObject *text = PyUnicode_FromStringAndSize(token.at, token.size);
    if (text != NULL)
        Py_XSETREF(*place, Py_NewRef(text));
    return text;
}

PyObject *price_of(Module *module, int64_t value)
{
    if (value % GRID || value / GRID >= PRICES)
        return PyLong_FromLongLong(value);
    PyObject **place = &module->prices[value / GRID];
    if (*place == NULL && (*place = PyLong_FromLongLong(value)) == NULL)
        return NULL;
    return Py_NewRef(*place);
}

/* The venue's time in ns UTC; ABSENT when it is not plausible. */
static int64_t venue_time(int64_t stamp) { return is_plausible(stamp) ? stamp * MICROS : ABSENT; }

typedef struct {
    PyObject_HEAD
    Module *module;
    PyObject *live, *subscribed, *is_new, *epoch, *before;
    Changes messages[2]; /* that of `before`, whose texts lie in it, and room for the next */
    int said_before;     /* which of them is that of `before` */
    BookMessage book;    /* room for a book */
    char packed;
} Reader;

/* Where the changes of one call go. */
typedef struct {
    PyObject *ts_recv, *out, *noted;
    Py_ssize_t expected;   /* changes to come */
    LevelChanges *changes; /* those of `out` that more can be appended to, borrowed */
    PyObject *ts_venue;    /* of the message, made when it is needed */
} Reading;

static int append_delta(Reader *self, Reading *to, const Entry *entry, PyObject *key, int64_t ts_venue)
{
    if (to->ts_venue == NULL)
        to->ts_venue = ts_venue == ABSENT ? Py_NewRef(Py_None) : PyLong_FromLongLong(ts_venue);
    PyObject *price = price_of(self->module, entry->price), *size = PyLong_FromLongLong(entry->size), *delta = NULL;
    if (to->ts_venue != NULL && price != NULL && size != NULL) {
        PyObject *given[] = {key, to->ts_recv, to->ts_venue, self->epoch, Py_None, entry->bid ? self->module->bid
                             : self->module->ask, price, size};
        delta = PyObject_Vectorcall((PyObject *)self->module->delta, given, 8, NULL);
    }
    Py_XDECREF(price);
    Py_XDECREF(size);
    int failed = delta == NULL || PyList_Append(to->out, delta) < 0;
    Py_XDECREF(delta);
    return failed ? -1 : 0;
}

static int append_change(Reader *self, Reading *to, const Entry *entry, PyObject *key, int64_t ts_venue)
{
    LevelChanges *changes = to->changes;
    if (changes == NULL || changes->count >= CHANGES_MAX) {
        changes = level_changes_new(self->module, to->ts_recv, self->epoch,
                                    to->expected < CHANGES_MAX ? to->expected : CHANGES_MAX);
        int failed = changes == NULL || PyList_Append(to->out, (PyObject *)changes) < 0;
        Py_XDECREF(changes);
        if (failed)
            return -1;
        to->changes = changes;
    }
    LevelChange change = {key, ts_venue, ABSENT, entry->price, entry->size, !entry->bid};
    return level_changes_add(changes, change);
}

/* The instrument of a token in a dict, borrowed; NULL where it has none, or with an exception. */
static PyObject *key_of(Module *module, PyObject *keys, Text token)
{
    PyObject *text = remembered_text(module, token), *key = text == NULL ? NULL : PyDict_GetItemWithError(keys, text);
    if (key != NULL && Py_IS_TYPE(key, module->key) && slot(key, module->key_at.instrument_id) != text)
        remember_text(module, token, slot(key, module->key_at.instrument_id)); /* as the dict has it */
    Py_XDECREF(text);
    return key;
}

static int add_changes(Reader *self, Reading *to, const Changes *message)
{
    int64_t ts_venue = venue_time(message->stamp);
    int failed = 0;
    for (int i = 0; i < message->count && !failed; i++) {
        const Entry *entry = &message->entries[i];
        PyObject *key = key_of(self->module, self->live, entry->token);
        if (key == NULL)
            failed = PyErr_Occurred() != NULL;
        else
            failed = (self->packed ? append_change : append_delta)(self, to, entry, key, ts_venue) < 0;
    }
    Py_CLEAR(to->ts_venue);
    return failed ? -1 : 0;
}

/* Append a trade unless it was told before. -1 with an exception. */
static int append_trade(Reader *self, Reading *to, const TradeMessage *said, PyObject *key)
{
    PyObject *trade = trade_event(self->module, said, key, to->ts_recv), *is_new = NULL;
    PyObject *transaction = PyUnicode_FromStringAndSize(said->transaction.at, said->transaction.size);
    if (trade != NULL && transaction != NULL) {
        PyObject *given[] = {trade, transaction};
        is_new = PyObject_Vectorcall(self->is_new, given, 2, NULL);
    }
    int failed = is_new == NULL || (is_new == Py_True && PyList_Append(to->out, trade) < 0);
    to->changes = NULL; /* changes that follow stand behind it */
    Py_XDECREF(trade);
    Py_XDECREF(transaction);
    Py_XDECREF(is_new);
    return failed ? -1 : 0;
}

static int note_frame(const Reading *to, PyObject *frame)
{
    return to->noted == Py_None ? 0 : PyList_Append(to->noted, frame);
}

/* Take the trade of a wanted instrument, as take_frame. */
static int take_trade(Reader *self, PyObject *frame, Reading *to)
{
    TradeMessage said;
    if (!read_trade(frame, &said))
        return 0;
    PyObject *key = Py_XNewRef(key_of(self->module, self->subscribed, said.token));
    if (key == NULL)
        return PyErr_Occurred() ? -1 : 0;
    int failed = append_trade(self, to, &said, key) < 0 || note_frame(to, frame) < 0;
    Py_DECREF(key);
    Py_CLEAR(self->before);
    return failed ? -1 : 1;
}

/* The book that was read last as an event. NULL with an exception. */
static PyObject *book_event(Reader *self, PyObject *key, PyObject *ts_recv)
{
    PackedBook *book = packed_message(self->module, &self->book, key, ts_recv, self->epoch);
    PyObject *event = book == NULL || self->packed ? Py_XNewRef((PyObject *)book) : packed_book_event(book);
    Py_XDECREF(book);
    return event;
}

/* Whether a frame as it usually is names an instrument without a book, such as a token heard for its trades. */
static int names_other(Reader *self, PyObject *frame)
{
    const char *at = PyBytes_AS_STRING(frame), *end = at + PyBytes_GET_SIZE(frame);
    Text market, token;
    at = rest_of_text(AFTER(at, end, "{\"market\":\""), end, &market);
    at = rest_of_text(AFTER(at, end, ",\"asset_id\":\""), end, &token);
    return at != NULL && plain(token.at, token.size) && key_of(self->module, self->live, token) == NULL;
}

/* Take the book of an instrument that has one already, unless it states the tick size: as take_frame. */
static int take_book(Reader *self, PyObject *frame, Reading *to)
{
    if (names_other(self, frame) || !read_book(frame, &self->book) || self->book.states_tick)
        return PyErr_Occurred() ? -1 : 0;
    PyObject *key = Py_XNewRef(key_of(self->module, self->live, self->book.token));
    if (key == NULL)
        return PyErr_Occurred() ? -1 : 0;
    PyObject *event = book_event(self, key, to->ts_recv);
    int failed = event == NULL || PyList_Append(to->out, event) < 0 || note_frame(to, frame) < 0;
    to->changes = NULL; /* changes that follow stand behind it */
    Py_XDECREF(event);
    Py_DECREF(key);
    Py_CLEAR(self->before);
    return failed ? -1 : 1;
}

/* Take one frame: 1 taken, 0 not in its present form, -1 an exception. */
static int take_frame(Reader *self, PyObject *frame, Reading *to)
{
    Changes *message = &self->messages[!self->said_before];
    const Changes *before = self->before == NULL ? NULL : &self->messages[self->said_before];
    if (!PyBytes_CheckExact(frame))
        return 0;
    if (!is_change(frame)) {
        int taken = take_trade(self, frame, to);
        return taken ? taken : take_book(self, frame, to);
    }
    if (!read_changes(frame, message))
        return 0;
    if (before != NULL && before->stamp == message->stamp && repeats(message, before))
        return 1;
    if (add_changes(self, to, message) < 0 || note_frame(to, frame) < 0)
        return -1;
    self->said_before = !self->said_before;
    Py_XSETREF(self->before, Py_NewRef(frame));
    return 1;
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

static PyObject *reader_read(Reader *self, PyObject *const *args, Py_ssize_t count)
{
    if (count != 5 || !PyList_Check(args[0]) || !PyList_Check(args[3])
        || (args[4] != Py_None && !PyList_Check(args[4]))) {
        PyErr_SetString(PyExc_TypeError, "read(frames: list, at: int, ts_recv: int, out: list, noted: list | None)");
        return NULL;
    }
    if (self->live == NULL) {
        PyErr_SetString(PyExc_TypeError, "a reader that was never made");
        return NULL;
    }
    Py_ssize_t at = PyLong_AsSsize_t(args[1]);
    if (at < 0 && PyErr_Occurred())
        return NULL;
    Reading to = {args[2], args[3], args[4], 2 * (PyList_GET_SIZE(args[0]) - at), NULL, NULL};
    for (; at >= 0 && at < PyList_GET_SIZE(args[0]); at++) {
        PyObject *frame = Py_NewRef(PyList_GET_ITEM(args[0], at));
        fetch_frame(args[0], at + FRAMES_AHEAD);
        int taken = take_frame(self, frame, &to);
        Py_DECREF(frame);
        if (taken < 0)
            return NULL;
        if (!taken)
            break;
    }
    return PyLong_FromSsize_t(at);
}

static PyObject *reader_book(Reader *self, PyObject *const *args, Py_ssize_t count)
{
    if (count != 2 || self->subscribed == NULL) {
        PyErr_SetString(PyExc_TypeError, "book(frame: bytes, ts_recv: int) of a reader that was made");
        return NULL;
    }
    PyObject *key = read_book(args[0], &self->book) ? Py_XNewRef(key_of(self->module, self->subscribed, self->book.token)) : NULL;
    if (key == NULL)
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    PyObject *event = book_event(self, key, args[1]);
    Py_DECREF(key);
    return event;
}

static PyObject *reader_forget(Reader *self, PyObject *Py_UNUSED(ignored))
{
    Py_CLEAR(self->before);
    Py_RETURN_NONE;
}

static PyObject *reader_before(Reader *self, PyObject *Py_UNUSED(ignored))
{
    return Py_NewRef(self->before != NULL ? self->before : Py_None);
}

static PyObject *reader_remember(Reader *self, PyObject *frame)
{
    if (!is_change(frame) || !read_changes(frame, &self->messages[!self->said_before])) {
        Py_CLEAR(self->before);
        Py_RETURN_FALSE;
    }
    self->said_before = !self->said_before;
    Py_XSETREF(self->before, Py_NewRef(frame));
    Py_RETURN_TRUE;
}

static int reader_init(Reader *self, PyObject *args, PyObject *Py_UNUSED(keywords))
{
    PyObject *live, *subscribed, *is_new, *epoch;
    int packed;
    if (!PyArg_ParseTuple(args, "O!O!OO!p", &PyDict_Type, &live, &PyDict_Type, &subscribed, &is_new, &PyLong_Type,
                          &epoch, &packed))
        return -1;
    if ((self->module = module_of(Py_TYPE(self))) == NULL)
        return -1;
    Py_XSETREF(self->live, Py_NewRef(live));
    Py_XSETREF(self->subscribed, Py_NewRef(subscribed));
    Py_XSETREF(self->is_new, Py_NewRef(is_new));
    Py_XSETREF(self->epoch, Py_NewRef(epoch));
    self->packed = (char)packed;
    return 0;
}

static int reader_traverse(Reader *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->live);
    Py_VISIT(self->subscribed);
    Py_VISIT(self->is_new);
    return 0;
}

static int reader_clear(Reader *self)
{
    Py_CLEAR(self->live);
    Py_CLEAR(self->subscribed);
    Py_CLEAR(self->is_new);
    Py_CLEAR(self->epoch);
    Py_CLEAR(self->before);
    return 0;
}

static void reader_dealloc(Reader *self)
{
    PyObject_GC_UnTrack(self);
    reader_clear(self);
    forget_book(&self->book);
    free_instance(self);
}

static PyMethodDef reader_methods[] = {
    {"read", (PyCFunction)(void (*)(void))reader_read, METH_FASTCALL, "Read frames from a place on; see fast_decoder.py."},
    {"book", (PyCFunction)(void (*)(void))reader_book, METH_FASTCALL, "Read the book of a wanted token; None for others."},
    {"before", (PyCFunction)reader_before, METH_NOARGS, "Return the message before, None when it is forgotten."},
    {"remember", (PyCFunction)reader_remember, METH_O, "Take a message for the one before, if in its present form."},
    {"forget", (PyCFunction)reader_forget, METH_NOARGS, "Forget the message before: what follows is no repetition."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot reader_slots[] = {
    {Py_tp_doc, "Reads price changes, trades and books; see fast_decoder.py."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, reader_init},
    {Py_tp_dealloc, reader_dealloc},
    {Py_tp_traverse, reader_traverse},
    {Py_tp_clear, reader_clear},
    {Py_tp_methods, reader_methods},
    {0, NULL},
};

PyType_Spec polymarket_reader_spec = {
    .name = "predsurv._speedups.NativeChangeReader",
    .basicsize = sizeof(Reader),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = reader_slots,
};
