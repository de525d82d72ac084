/* Lines of universe.jsonl: what store/universe.py writes of a market, without a struct and an encoder in between.

   A market with anything of another type than usual is left to Python, which knows what is wrong with it. */

#include "module.h"
#include "parts.h"

#include <limits.h>

#define MICROS 1000000
#define NS_MS 1000000
#define NUMBER_MAX 32 /* bytes of a number with its sign and point */

#define MARKET_FIELDS(X) X(venue) X(market_id) X(event_id) X(question) X(outcomes) X(status) X(tick_size) X(min_order_size) \
    X(fetched_at) X(series_id) X(description) X(category) X(tags) X(neg_risk) X(mutually_exclusive) X(exhaustive) X(fee) \
    X(bands) X(min_taker_buy) X(taker_delay) X(volume) X(volume_24h) X(liquidity) X(open_interest) X(close_time) X(url) \
    X(rules_hash) X(tradable) X(market_type) X(game_start) X(reward_min_size) X(reward_max_spread) X(assumed) X(last_seen) \
    X(event_title) X(version) X(shard)
#define PLACE(name) Py_ssize_t name;

typedef struct {
    PyObject_HEAD
    PyTypeObject *market, *outcome;
    PyObject *time, *fee, *bands, *binary;       /* of universe.py */
    PyObject *last_fee, *fee_text;               /* the fee that was written last, and how */
    PyObject *last_bands, *bands_text, *last_times[3], *time_texts[3];
    struct { MARKET_FIELDS(PLACE) } at;
    Py_ssize_t instrument_id_at, label_at;
    char *line;
    Py_ssize_t size, room;
} Writer;

#define OF(name) slot(market, self->at.name)
#define SAY(self, text) say(self, text, sizeof(text) - 1)

/* All of these return 1 when they wrote, 0 when the market is left to Python or there is an exception. */

static int make_room(Writer *self, Py_ssize_t more)
{
    if (more <= self->room - self->size)
        return 1;
    Py_ssize_t room = 2 * (self->size + more) + 4096;
    char *line = PyMem_Realloc(self->line, (size_t)room);
    if (line == NULL)
        return PyErr_NoMemory() != NULL;
    self->line = line;
    self->room = room;
    return 1;
}

static int say(Writer *self, const char *text, Py_ssize_t size)
{
    if (!make_room(self, size))
        return 0;
    memcpy(self->line + self->size, text, (size_t)size);
    self->size += size;
    return 1;
}

static int is_plain(const char *at, Py_ssize_t size)
{
    unsigned char bad = 0; /* one byte, so that a compiler looks at many at once */
    for (Py_ssize_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)at[i];
        bad |= (unsigned char)(c < 0x20) | (unsigned char)(c == '"') | (unsigned char)(c == '\\');
    }
    return !bad;
}

static char *escaped(char *out, unsigned char c)
{
    static const char digits[] = "0123456789abcdef", said[] = "\"\\\b\f\n\r\t";
    const char *found = memchr(said, c, sizeof said - 1);
    *out++ = '\\';
    if (found == NULL) {
        memcpy(out, "u00", 3);
        out[3] = digits[c >> 4];
        out[4] = digits[c & 15];
        return out + 5;
    }
    *out++ = "\"\\bfnrt"[found - said];
    return out;
}

static int say_text(Writer *self, PyObject *text)
{
    Py_ssize_t size;
    const char *at = PyUnicode_Check(text) ? PyUnicode_AsUTF8AndSize(text, &size) : NULL;
    if (at == NULL || !make_room(self, 6 * size + 2))
        return 0;
    char *out = self->line + self->size;
    *out++ = '"';
    if (is_plain(at, size)) {
        memcpy(out, at, (size_t)size);
        out += size;
    } else {
        for (Py_ssize_t i = 0; i < size; i++) {
            unsigned char c = (unsigned char)at[i];
            if (c < 0x20 || c == '"' || c == '\\')
                out = escaped(out, c);
            else
                *out++ = (char)c;
        }
    }
    *out++ = '"';
    self->size = out - self->line;
    return 1;
}

static int say_flag(Writer *self, PyObject *flag)
{
    return flag == Py_True ? SAY(self, "true") : flag == Py_False ? SAY(self, "false") : 0;
}

/* What format_micros makes of a number, as a text. */
static int say_micros(Writer *self, PyObject *number)
{
    int overflow;
    if (!PyLong_Check(number))
        return 0;
    long long value = PyLong_AsLongLongAndOverflow(number, &overflow);
    if (overflow || value == LLONG_MIN || !make_room(self, NUMBER_MAX))
        return 0;
    char *out = self->line + self->size, digits[NUMBER_MAX];
    *out++ = '"';
    if (value < 0)
        *out++ = '-';
    unsigned long long left = (unsigned long long)(value < 0 ? -value : value), whole = left / MICROS;
    unsigned fraction = (unsigned)(left % MICROS);
    int count = 0;
    do
        digits[count++] = (char)('0' + whole % 10);
    while ((whole /= 10) != 0);
    while (count > 0)
        *out++ = digits[--count];
    if (fraction != 0) {
        *out++ = '.';
        for (unsigned unit = MICROS / 10; fraction != 0; unit /= 10) {
            *out++ = (char)('0' + fraction / unit);
            fraction %= unit;
        }
    }
    *out++ = '"';
    self->size = out - self->line;
    return 1;
}

static int say_micros_or_null(Writer *self, PyObject *number)
{
    return number == Py_None ? SAY(self, "null") : say_micros(self, number);
}

/* What a function returned for a value last time; else what it returns now, borrowed. NULL with an exception. */
static PyObject *remembered(PyObject *make, PyObject *value, PyObject **last, PyObject **made)
{
    if (*last == value && *made != NULL)
        return *made;
    PyObject *found = PyObject_CallOneArg(make, value);
    if (found == NULL)
        return NULL;
    Py_XSETREF(*last, Py_NewRef(value));
    Py_XSETREF(*made, found);
    return found;
}

/* A time; there are three kinds of which most markets have the same one. */
static int say_time(Writer *self, PyObject *ts, int kind)
{
    PyObject *text = remembered(self->time, ts, &self->last_times[kind], &self->time_texts[kind]);
    return text != NULL && say_text(self, text);
}

static int say_made(Writer *self, PyObject *text)
{
    return text != NULL && PyBytes_Check(text) && say(self, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text));
}

static int say_texts(Writer *self, PyObject *texts)
{
    if (!PyTuple_Check(texts))
        return 0;
    int said = SAY(self, "[");
    for (Py_ssize_t i = 0; said && i < PyTuple_GET_SIZE(texts); i++)
        said = (i == 0 || SAY(self, ",")) && say_text(self, PyTuple_GET_ITEM(texts, i));
    return said && SAY(self, "]");
}

static int say_outcomes(Writer *self, PyObject *outcomes)
{
    if (!PyTuple_Check(outcomes))
        return 0;
    int said = SAY(self, "[");
    for (Py_ssize_t i = 0; said && i < PyTuple_GET_SIZE(outcomes); i++) {
        PyObject *outcome = PyTuple_GET_ITEM(outcomes, i);
        said = Py_IS_TYPE(outcome, self->outcome) && (i == 0 || SAY(self, ",")) && SAY(self, "{\"instrument_id\":")
            && say_text(self, slot(outcome, self->instrument_id_at)) && SAY(self, ",\"label\":")
            && say_text(self, slot(outcome, self->label_at)) && SAY(self, "}");
    }
    return said && SAY(self, "]");
}

/* A field with `how` it is written, in every line; or null there, or left out, where it is None. */
#define FIELD(name, how, ...) SAY(self, ",\"" #name "\":") && how(self, OF(name), ##__VA_ARGS__)
#define OR_NULL(name, how, ...) SAY(self, ",\"" #name "\":") \
    && (OF(name) == Py_None ? SAY(self, "null") : how(self, OF(name), ##__VA_ARGS__))
#define UNLESS(absent, name, how, ...) (OF(name) == (absent) || (FIELD(name, how, ##__VA_ARGS__)))

static int say_required(Writer *self, PyObject *market)
{
    return SAY(self, "{\"venue\":") && say_text(self, OF(venue)) && FIELD(market_id, say_text) && FIELD(event_id, say_text)
        && FIELD(question, say_text) && FIELD(outcomes, say_outcomes) && FIELD(tags, say_texts) && FIELD(status, say_text)
        && FIELD(tick_size, say_micros) && FIELD(min_order_size, say_micros) && FIELD(neg_risk, say_flag)
        && FIELD(mutually_exclusive, say_flag) && SAY(self, ",\"fee\":")
        && say_made(self, remembered(self->fee, OF(fee), &self->last_fee, &self->fee_text))
        && FIELD(volume, say_micros_or_null) && FIELD(volume_24h, say_micros_or_null) && FIELD(liquidity, say_micros_or_null)
        && FIELD(open_interest, say_micros_or_null) && OR_NULL(close_time, say_time, 0) && OR_NULL(url, say_text)
        && OR_NULL(rules_hash, say_text) && FIELD(tradable, say_flag) && FIELD(fetched_at, say_time, 1);
}

/* Whether a number is 0; then its field is left out. */
static int is_zero(PyObject *number) { return PyLong_Check(number) && PyObject_IsTrue(number) == 0; }

static int say_delay(Writer *self, PyObject *delay)
{
    char text[NUMBER_MAX];
    int overflow;
    if (!PyLong_Check(delay))
        return 0;
    long long value = PyLong_AsLongLongAndOverflow(delay, &overflow);
    if (overflow || value < 0)
        return 0;
    return value == 0 || say(self, text, PyOS_snprintf(text, sizeof text, ",\"taker_delay_ms\":%lld",
                                                      value / NS_MS + (value % NS_MS != 0)));
}

static int say_shard(Writer *self, PyObject *shard)
{
    char text[NUMBER_MAX];
    int overflow;
    if (shard == Py_None)
        return 1;
    if (!PyLong_CheckExact(shard))
        return 0;
    long long value = PyLong_AsLongLongAndOverflow(shard, &overflow);
    return !overflow && say(self, text, PyOS_snprintf(text, sizeof text, ",\"shard\":%lld", value));
}

static int say_bands(Writer *self, PyObject *bands)
{
    if (!PyTuple_Check(bands))
        return 0;
    return PyTuple_GET_SIZE(bands) == 0
        || (SAY(self, ",\"bands\":") && say_made(self, remembered(self->bands, bands, &self->last_bands, &self->bands_text)));
}

static int say_optional(Writer *self, PyObject *market)
{
    PyObject *assumed = OF(assumed), *version = OF(version);
    return PyTuple_Check(assumed) && PyUnicode_Check(version) && UNLESS(Py_None, series_id, say_text)
        && UNLESS(Py_None, description, say_text) && UNLESS(Py_None, category, say_text) && UNLESS(Py_False, exhaustive, say_flag)
        && say_bands(self, OF(bands)) && (is_zero(OF(min_taker_buy)) || (FIELD(min_taker_buy, say_micros)))
        && say_delay(self, OF(taker_delay)) && UNLESS(self->binary, market_type, say_text)
        && UNLESS(Py_None, game_start, say_time, 2) && UNLESS(Py_None, reward_min_size, say_micros)
        && UNLESS(Py_None, reward_max_spread, say_micros) && (PyTuple_GET_SIZE(assumed) == 0 || (FIELD(assumed, say_texts)))
        && UNLESS(Py_None, last_seen, say_time, 2) && UNLESS(Py_None, event_title, say_text)
        && (PyUnicode_GET_LENGTH(version) == 0 || (FIELD(version, say_text))) && say_shard(self, OF(shard));
}

/* line(market): its line, None where Python has to write it. */
static PyObject *writer_line(Writer *self, PyObject *market)
{
    self->size = 0;
    if (Py_IS_TYPE(market, self->market) && say_required(self, market) && say_optional(self, market) && SAY(self, "}\n"))
        return PyBytes_FromStringAndSize(self->line, self->size);
    if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception))
        return NULL;
    PyErr_Clear();
    return Py_NewRef(Py_None);
}

static int writer_clear(Writer *self)
{
    for (PyObject **each = (PyObject **)&self->market; each < (PyObject **)&self->at; each++)
        Py_CLEAR(*each);
    return 0;
}

static int writer_init(Writer *self, PyObject *args, PyObject *Py_UNUSED(keywords))
{
    PyObject *time, *fee, *bands, *binary;
    if (!PyArg_ParseTuple(args, "OOOU", &time, &fee, &bands, &binary))
        return -1;
    writer_clear(self);
    self->time = Py_NewRef(time);
    self->fee = Py_NewRef(fee);
    self->bands = Py_NewRef(bands);
    self->binary = Py_NewRef(binary);
    self->market = core_type("predsurv.core.market", "Market");
    self->outcome = core_type("predsurv.core.market", "Outcome");
    if (self->market == NULL || self->outcome == NULL)
        return -1;
#define FIND(name) && (self->at.name = slot_of(self->market, #name))
    return (self->instrument_id_at = slot_of(self->outcome, "instrument_id"))
        && (self->label_at = slot_of(self->outcome, "label")) MARKET_FIELDS(FIND) ? 0 : -1;
}

static int writer_traverse(Writer *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    for (PyObject **each = (PyObject **)&self->market; each < (PyObject **)&self->at; each++)
        Py_VISIT(*each);
    return 0;
}

static void writer_dealloc(Writer *self)
{
    PyObject_GC_UnTrack(self);
    writer_clear(self);
    PyMem_Free(self->line);
    free_instance(self);
}

static PyMethodDef writer_methods[] = {
    {"line", (PyCFunction)writer_line, METH_O, "Return the line of a market; see universe.py."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot writer_slots[] = {
    {Py_tp_doc, "Writes lines of universe.jsonl; see universe.py."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, writer_init},
    {Py_tp_dealloc, writer_dealloc},
    {Py_tp_traverse, writer_traverse},
    {Py_tp_clear, writer_clear},
    {Py_tp_methods, writer_methods},
    {0, NULL},
};

PyType_Spec line_writer_spec = {
    .name = "predsurv._speedups.NativeLineWriter",
    .basicsize = sizeof(Writer),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = writer_slots,
};
