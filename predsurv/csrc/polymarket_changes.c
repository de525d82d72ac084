/* Polymarket's price changes, read without the texts in between.

   The same as fast_decoder.py. What is not in its present form is left to the patient reader in Python, so a
   message that this does not understand costs time and nothing more. What it takes means the same to both; tests
   compare them. */

#include "parts.h"
#include "polymarket_text.h"

#define ENTRIES_MAX 64 /* changes of one message; it has two */
#define EARLIEST 1420070400000LL
#define LATEST 4102444800000LL
#define TOKENS 8192    /* remembered texts */
#define TOKEN_BITS 13  /* 2 ** 13 = TOKENS */
#define TOKEN_MAX 256  /* of a remembered text; others are not worth it */
#define GRID 100       /* micros between two remembered prices */
#define TAIL "\"event_type\":\"price_change\"}" /* the venue writes its tag last */

typedef struct { Text token, price_text, size_text; int64_t price, size; int bid; } Entry;
typedef struct { Entry entries[ENTRIES_MAX]; int count; int64_t stamp; } Changes;

static PyObject *delta_type, *bid_text, *ask_text;
static PyObject *tokens[TOKENS];
static PyObject *prices[MICROS / GRID + 1];

/* Read one change; NULL when it is not in its present form. */
static const char *take_entry(const char *at, const char *end, Entry *entry)
{
    unsigned seen = 0;
    Text name, value;
    if (at >= end || *at++ != '{')
        return NULL;
    for (;;) {
        if ((at = take_name(at, end, &name)) == NULL || (at = take_text(at, end, &value)) == NULL)
            return NULL;
        if (IS(name, "asset_id")) {
            ONCE(1u, 0);
            entry->token = value;
        } else if (IS(name, "price")) {
            ONCE(2u, 0);
            entry->price_text = value;
            if (!is_price(entry->price = micros(value)))
                return NULL;
        } else if (IS(name, "size")) {
            ONCE(4u, 0);
            entry->size_text = value;
            if ((entry->size = micros(value)) < 0)
                return NULL;
        } else if (IS(name, "side")) {
            ONCE(8u, 0);
            entry->bid = IS(value, "BUY");
            if (!entry->bid && !IS(value, "SELL"))
                return NULL;
        }
        if (at >= end)
            return NULL;
        if (*at == '}')
            return seen == 15u ? at + 1 : NULL;
        if (*at++ != ',')
            return NULL;
    }
}

static const char *take_entries(const char *at, const char *end, Changes *out)
{
    out->count = 0;
    if (at >= end || *at++ != '[')
        return NULL;
    for (;;) {
        if (out->count == ENTRIES_MAX || (at = take_entry(at, end, &out->entries[out->count])) == NULL || at >= end)
            return NULL;
        out->count++;
        if (*at == ']')
            return at + 1;
        if (*at++ != ',')
            return NULL;
    }
}

/* Read a message of changes; 0 when it is not in its present form. */
static int read_changes(const char *at, Py_ssize_t size, Changes *out)
{
    const char *end = at + size;
    unsigned seen = 0;
    Text name, value;
    if (!plain(at, size) || size < 2 || *at++ != '{')
        return 0;
    for (;;) {
        if ((at = take_name(at, end, &name)) == NULL)
            return 0;
        if (IS(name, "price_changes")) {
            ONCE(1u, 0);
            at = take_entries(at, end, out);
        } else if ((at = take_text(at, end, &value)) != NULL) {
            if (IS(name, "timestamp")) {
                ONCE(2u, 0);
                if ((out->stamp = stamp_of(value)) < 0)
                    return 0;
            } else if (IS(name, "event_type")) {
                ONCE(4u, 0);
                if (!IS(value, "price_change"))
                    return 0;
            }
        }
        if (at == NULL || at >= end)
            return 0;
        if (*at == '}')
            return seen == 7u && at + 1 == end;
        if (*at++ != ',')
            return 0;
    }
}

static int same_text(Text a, Text b) { return a.size == b.size && memcmp(a.at, b.at, (size_t)a.size) == 0; }

static int same_entry(const Entry *a, const Entry *b)
{
    return a->bid == b->bid && same_text(a->price_text, b->price_text) && same_text(a->size_text, b->size_text)
        && same_text(a->token, b->token);
}

/* Whether both say the same, in whatever order. */
static int repeats(const Changes *said, const Changes *before)
{
    uint64_t used = 0;
    if (said->count != before->count)
        return 0;
    for (int i = 0; i < said->count; i++) {
        int j = 0;
        while (j < before->count && ((used >> j & 1) || !same_entry(&said->entries[i], &before->entries[j])))
            j++;
        if (j == before->count)
            return 0;
        used |= (uint64_t)1 << j;
    }
    return 1;
}

/* The text of a token as a new reference, the same object as last time where it is still remembered. */
static PyObject *token_text(Text token)
{
    uint64_t mixed = (uint64_t)token.size;
    if (token.size > TOKEN_MAX)
        return PyUnicode_FromStringAndSize(token.at, token.size);
    if (token.size >= 8)
        memcpy(&mixed, token.at + token.size - 8, 8);
    PyObject **place = &tokens[(mixed * 0x9E3779B97F4A7C15ULL) >> (64 - TOKEN_BITS)];
    if (*place != NULL && PyUnicode_GET_LENGTH(*place) == token.size
        && memcmp(PyUnicode_1BYTE_DATA(*place), token.at, (size_t)token.size) == 0)
        return Py_NewRef(*place);
    PyObject *text = PyUnicode_FromStringAndSize(token.at, token.size);
    if (text != NULL)
        Py_XSETREF(*place, Py_NewRef(text));
    return text;
}

PyObject *price_of(int64_t value)
{
    if (value % GRID)
        return PyLong_FromLongLong(value);
    PyObject **place = &prices[value / GRID];
    if (*place == NULL && (*place = PyLong_FromLongLong(value)) == NULL)
        return NULL;
    return Py_NewRef(*place);
}

static PyObject *venue_time(int64_t stamp)
{
    return stamp > EARLIEST && stamp < LATEST ? PyLong_FromLongLong(stamp * MICROS) : Py_NewRef(Py_None);
}

typedef struct {
    PyObject_HEAD
    PyObject *live, *epoch, *before;
    int64_t before_stamp;
} Reader;

static int add_delta(Reader *self, const Entry *entry, PyObject *ts_recv, PyObject *ts_venue, PyObject *out)
{
    PyObject *text = token_text(entry->token), *key, *price, *size, *delta = NULL;
    if (text == NULL)
        return -1;
    key = PyDict_GetItemWithError(self->live, text);
    Py_DECREF(text);
    if (key == NULL)
        return PyErr_Occurred() ? -1 : 0;
    price = price_of(entry->price);
    size = PyLong_FromLongLong(entry->size);
    if (price != NULL && size != NULL) {
        PyObject *given[] = {key, ts_recv, ts_venue, self->epoch, Py_None, entry->bid ? bid_text : ask_text, price, size};
        delta = PyObject_Vectorcall(delta_type, given, 8, NULL);
    }
    Py_XDECREF(price);
    Py_XDECREF(size);
    int failed = delta == NULL || PyList_Append(out, delta) < 0;
    Py_XDECREF(delta);
    return failed ? -1 : 0;
}

static int is_change(PyObject *frame)
{
    Py_ssize_t before = PyBytes_CheckExact(frame) ? PyBytes_GET_SIZE(frame) - (Py_ssize_t)(sizeof(TAIL) - 1) : -1;
    return before >= 0 && memcmp(PyBytes_AS_STRING(frame) + before, TAIL, sizeof(TAIL) - 1) == 0;
}

/* Take one frame: 1 taken, 0 not in its present form, -1 an exception. */
static int take_frame(Reader *self, PyObject *frame, PyObject *ts_recv, PyObject *out, PyObject *noted)
{
    Changes changes, before;
    if (!is_change(frame) || !read_changes(PyBytes_AS_STRING(frame), PyBytes_GET_SIZE(frame), &changes))
        return 0;
    if (self->before != NULL && self->before_stamp == changes.stamp
        && read_changes(PyBytes_AS_STRING(self->before), PyBytes_GET_SIZE(self->before), &before)
        && repeats(&changes, &before))
        return 1;
    PyObject *ts_venue = venue_time(changes.stamp);
    if (ts_venue == NULL)
        return -1;
    int failed = 0;
    for (int i = 0; i < changes.count && !failed; i++)
        failed = add_delta(self, &changes.entries[i], ts_recv, ts_venue, out);
    Py_DECREF(ts_venue);
    if (failed || (noted != Py_None && PyList_Append(noted, frame) < 0))
        return -1;
    self->before_stamp = changes.stamp;
    Py_XSETREF(self->before, Py_NewRef(frame));
    return 1;
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
    for (; at >= 0 && at < PyList_GET_SIZE(args[0]); at++) {
        PyObject *frame = Py_NewRef(PyList_GET_ITEM(args[0], at));
        int taken = take_frame(self, frame, args[2], args[3], args[4]);
        Py_DECREF(frame);
        if (taken < 0)
            return NULL;
        if (!taken)
            break;
    }
    return PyLong_FromSsize_t(at);
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
    Changes changes;
    if (!is_change(frame) || !read_changes(PyBytes_AS_STRING(frame), PyBytes_GET_SIZE(frame), &changes)) {
        Py_CLEAR(self->before);
        Py_RETURN_FALSE;
    }
    self->before_stamp = changes.stamp;
    Py_XSETREF(self->before, Py_NewRef(frame));
    Py_RETURN_TRUE;
}

static int reader_init(Reader *self, PyObject *args, PyObject *Py_UNUSED(keywords))
{
    PyObject *live, *epoch;
    if (!PyArg_ParseTuple(args, "O!O!", &PyDict_Type, &live, &PyLong_Type, &epoch))
        return -1;
    Py_XSETREF(self->live, Py_NewRef(live));
    Py_XSETREF(self->epoch, Py_NewRef(epoch));
    return 0;
}

static int reader_traverse(Reader *self, visitproc visit, void *arg)
{
    Py_VISIT(self->live);
    return 0;
}

static int reader_clear(Reader *self)
{
    Py_CLEAR(self->live);
    Py_CLEAR(self->epoch);
    Py_CLEAR(self->before);
    return 0;
}

static void reader_dealloc(Reader *self)
{
    PyObject_GC_UnTrack(self);
    reader_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMethodDef reader_methods[] = {
    {"read", (PyCFunction)(void (*)(void))reader_read, METH_FASTCALL, "Read frames from a place on; see fast_decoder.py."},
    {"before", (PyCFunction)reader_before, METH_NOARGS, "Return the message before, None when it is forgotten."},
    {"remember", (PyCFunction)reader_remember, METH_O, "Take a message for the one before, if in its present form."},
    {"forget", (PyCFunction)reader_forget, METH_NOARGS, "Forget the message before: what follows is no repetition."},
    {NULL, NULL, 0, NULL},
};

PyTypeObject polymarket_reader_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "predsurv._speedups.NativeChangeReader",
    .tp_basicsize = sizeof(Reader),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "Reads price changes; see fast_decoder.py.",
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)reader_init,
    .tp_dealloc = (destructor)reader_dealloc,
    .tp_traverse = (traverseproc)reader_traverse,
    .tp_clear = (inquiry)reader_clear,
    .tp_methods = reader_methods,
};

PyMethodDef polymarket_functions[] = {
    {"read_book", read_book, METH_O, "Read a whole book; see fast_decoder.py."},
    {NULL, NULL, 0, NULL},
};

int polymarket_prepare(void)
{
    PyObject *events = PyImport_ImportModule("predsurv.core.events");
    if (events == NULL)
        return -1;
    Py_XSETREF(delta_type, PyObject_GetAttrString(events, "BookDelta"));
    Py_DECREF(events);
    Py_XSETREF(bid_text, PyUnicode_InternFromString("bid"));
    Py_XSETREF(ask_text, PyUnicode_InternFromString("ask"));
    return delta_type != NULL && bid_text != NULL && ask_text != NULL ? PyType_Ready(&polymarket_reader_type) : -1;
}
