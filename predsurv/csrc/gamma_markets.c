/* The markets in rows of Gamma's list: what market_parser.py makes of a row in which nothing is unusual.

   Anything that is missing, has another form than nearly always, or is out of range leaves the row to Python. What is
   taken means the same to both; tests compare them. */

#include "gamma_markets.h"
#include "parts.h"

#define DESCRIPTION_MAX 8192            /* DESCRIPTION_CHARS_MAX */
#define ORDER_MAX (1000000LL * 1000000) /* micros that the least order has to be below */
#define CENTS_MAX 100
#define DELAY_NAME_MAX 64 /* characters of a name of a field after "elay" */
#define BLOCK 512   /* bytes that are looked at together */

static const char *const names[ARGUMENTS] = {
    "venue", "market_id", "event_id", "question", "outcomes", "status", "tick_size", "min_order_size", "fetched_at", "series_id",
    "description", "category", "tags", "neg_risk", "mutually_exclusive", "exhaustive", "fee", "min_taker_buy", "volume",
    "volume_24h", "liquidity", "close_time", "url", "rules_hash", "tradable", "game_start", "reward_min_size",
    "reward_max_spread", "event_title", "version",
};

static const char *const status_names[STATUSES] = {"created", "active", "paused", "closed", "resolved", "disputed"};

/* Whether a market may be of a kind without a public book, which Python decides. */
static int may_have_no_book(Parser *self, Row *row)
{
    PyObject *type = OF(market_type);
    if (OF(rfq_enabled) == Py_True && OF(enable_order_book) == Py_False)
        return 1;
    return has_text(type) && PyUnicode_CompareWithASCIIString(type, "normal") != 0;
}

static int put_number(Row *row, int place, int64_t value) { return PUT(place, PyLong_FromLongLong(value)) ? 1 : -1; }

/* A number that is positive and below `below`. */
static int put_micros(Row *row, int place, PyObject *raw, int64_t below)
{
    int64_t value;
    if (number_of(raw, 0, &value) != NUMBER || value == 0 || value >= below)
        return 0;
    return put_number(row, place, value);
}

/* The first of two fields that has an amount; None where none has. */
static int put_money(Row *row, int place, PyObject *first, PyObject *second)
{
    int64_t value;
    int found = number_of(first, 1, &value);
    if (found == NOTHING && second != NULL)
        found = number_of(second, 1, &value);
    if (found == NOTHING)
        return PUT(place, Py_NewRef(Py_None));
    return found == NUMBER ? put_number(row, place, value) : 0;
}

static int put_rewards(Parser *self, Row *row)
{
    int64_t size = 0, spread = 0;
    int has_size = number_of(OF(rewards_min_size), 0, &size), has_spread = number_of(OF(rewards_max_spread), 0, &spread);
    if (has_size == ODD || has_spread == ODD)
        return 0;
    if (has_size == NUMBER && has_spread == NUMBER && size > 0 && size < ORDER_MAX && spread > 0
        && spread < CENTS_MAX * 1000000LL)
        return put_number(row, REWARD_MIN_SIZE, size) < 0 ? -1 : put_number(row, REWARD_MAX_SPREAD, spread / CENTS_MAX);
    return PUT(REWARD_MIN_SIZE, Py_NewRef(Py_None)) && PUT(REWARD_MAX_SPREAD, Py_NewRef(Py_None));
}

static int is_word(PyObject *text, const char *word)
{
    return PyUnicode_Check(text) && PyUnicode_CompareWithASCIIString(text, word) == 0;
}

static int status_of(Parser *self, Row *row)
{
    PyObject *said = OF(uma_resolution_status);
    if (OF(closed) == Py_True || OF(archived) == Py_True)
        return is_word(said, "resolved") || is_word(said, "settled") ? RESOLVED : CLOSED;
    if (is_word(said, "disputed"))
        return DISPUTED;
    if (OF(active) != Py_True)
        return CREATED;
    return OF(accepting_orders) != Py_False ? ACTIVE : PAUSED;
}

/* Status, and what is true of the market and its event. */
static int put_flags(Parser *self, Row *row)
{
    PyObject *said = OF_EVENT(neg_risk) == Py_None ? OF(neg_risk) : OF_EVENT(neg_risk);
    int trades = OF(enable_order_book) == Py_True && OF(accepting_orders) == Py_True && OF(active) == Py_True
        && OF(closed) != Py_True && OF(archived) != Py_True;
    return PUT(STATUS, Py_NewRef(self->statuses[status_of(self, row)])) && put_flag(row, NEG_RISK, OF(neg_risk) == Py_True)
        && put_flag(row, MUTUALLY_EXCLUSIVE, said == Py_True) && put_flag(row, TRADABLE, trades)
        && put_flag(row, EXHAUSTIVE, said == Py_True && OF_EVENT(neg_risk_augmented) == Py_False);
}

/* Names and texts of the market and its event. */
static int put_texts(Parser *self, Row *row)
{
    PyObject *event_id = has_text(OF_EVENT(id)) ? OF_EVENT(id) : OF(condition_id), *series = OF_EVENT(series);
    PyObject *description = OF(description), *series_id = Py_None, *question = has_text(OF(question)) ? OF(question) : OF(slug);
    if (!is_id(OF(condition_id)) || !is_id(event_id) || !has_text(question) || PyUnicode_GET_LENGTH(question) > TEXT_MAX)
        return 0;
    if (PyList_Check(series) && PyList_GET_SIZE(series) > 0) {
        if (!Py_IS_TYPE(PyList_GET_ITEM(series, 0), self->series))
            return 0;
        series_id = slot(PyList_GET_ITEM(series, 0), self->series_id_at);
    }
    return PUT(VENUE, Py_NewRef(self->venue)) && PUT(MARKET_ID, Py_NewRef(OF(condition_id)))
        && PUT(EVENT_ID, Py_NewRef(event_id)) && PUT(QUESTION, Py_NewRef(question)) && PUT(SERIES_ID, Py_NewRef(series_id))
        && put_text(row, DESCRIPTION, description, DESCRIPTION_MAX) && put_text(row, EVENT_TITLE, OF_EVENT(title), TEXT_MAX)
        && PUT(MIN_TAKER_BUY, Py_NewRef(self->min_taker_buy));
}

static int put_numbers(Parser *self, Row *row)
{
    int done = put_micros(row, TICK_SIZE, OF(order_price_min_tick_size), 1000000);
    done = done > 0 ? put_micros(row, MIN_ORDER_SIZE, OF(order_min_size), ORDER_MAX) : done;
    done = done > 0 ? put_money(row, VOLUME, OF(volume_num), OF(volume)) : done;
    done = done > 0 ? put_money(row, VOLUME_24H, OF(volume24hr), NULL) : done;
    done = done > 0 ? put_money(row, LIQUIDITY, OF(liquidity_num), OF(liquidity)) : done;
    return done > 0 ? put_rewards(self, row) : done;
}

static int put_all(Parser *self, Row *row)
{
    int done = may_have_no_book(self, row) ? 0 : put_texts(self, row);
    done = done > 0 ? put_flags(self, row) : done;
    done = done > 0 ? put_outcomes(self, row) : done;
    done = done > 0 ? put_numbers(self, row) : done;
    done = done > 0 ? put_tags(self, row) : done;
    done = done > 0 ? put_category(self, row) : done;
    done = done > 0 ? put_date(self, row, CLOSE_TIME, OF(end_date)) : done;
    done = done > 0 ? put_date(self, row, GAME_START, OF(game_start_time)) : done;
    done = done > 0 ? put_url(self, row) : done;
    done = done > 0 ? put_rules_hash(self, row) : done;
    return done > 0 ? put_fee(self, row) : done;
}

/* The market of a row as a new reference, None where Python has to read it; NULL with an exception. */
static PyObject *market_of(Parser *self, PyObject *fields, PyObject *fetched_at)
{
    Row read = {.row = fields, .made = {NULL}}, *row = &read;
    PyObject *market = NULL, *events = Py_IS_TYPE(fields, self->row) ? OF(events) : NULL;
    if (events == NULL)
        return Py_NewRef(Py_None);
    if (PyList_Check(events) && PyList_GET_SIZE(events) > 0) {
        read.event = PyList_GET_ITEM(events, 0);
        if (!Py_IS_TYPE(read.event, self->event))
            return Py_NewRef(Py_None);
    }
    read.made[FETCHED_AT] = Py_NewRef(fetched_at);
    int done = put_all(self, row);
    if (done > 0)
        market = PyObject_Vectorcall((PyObject *)self->market, read.made, 0, self->argument_names);
    else if (done == 0 && !PyErr_Occurred())
        market = Py_NewRef(Py_None);
    for (int i = 0; i < ARGUMENTS; i++)
        Py_XDECREF(read.made[i]);
    return market;
}

/* Each schedule says since when it is known, so that it is remembered for one page. */
static void forget_fees(Parser *self)
{
    for (int i = 0; i < self->fee_count; i++)
        Py_CLEAR(self->fees[i].fee);
    self->fee_count = 0;
}

/* read(rows, fetched_at): the market of each row, None where Python has to read it. */
static PyObject *parser_read(Parser *self, PyObject *const *args, Py_ssize_t count)
{
    if (count != 2 || !PyList_Check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "a list of rows and a time are needed");
        return NULL;
    }
    PyObject *rows = args[0], *found = PyList_New(PyList_GET_SIZE(rows));
    forget_fees(self);
    for (Py_ssize_t i = 0; found != NULL && i < PyList_GET_SIZE(found); i++) {
        PyObject *market = i < PyList_GET_SIZE(rows) ? market_of(self, PyList_GET_ITEM(rows, i), args[1]) : NULL;
        if (market == NULL)
            Py_CLEAR(found);
        else
            PyList_SET_ITEM(found, i, market);
    }
    return found;
}

static PyObject *argument_names(void)
{
    PyObject *found = PyTuple_New(ARGUMENTS);
    for (int i = 0; found != NULL && i < ARGUMENTS; i++) {
        PyObject *name = PyUnicode_InternFromString(names[i]);
        if (name == NULL)
            Py_CLEAR(found);
        else
            PyTuple_SET_ITEM(found, i, name);
    }
    return found;
}

/* Find the types and where their fields lie; 0 with an exception. */
static int prepare(Parser *self)
{
    const char *rows = "predsurv.venues.polymarket.gamma_row", *core = "predsurv.core.market";
    const struct { PyTypeObject **place; const char *module, *name; } types[] = {
        {&self->market, core, "Market"}, {&self->outcome, core, "Outcome"}, {&self->row, rows, "GammaMarket"},
        {&self->event, rows, "GammaEvent"}, {&self->series, rows, "GammaSeries"}, {&self->tag, rows, "GammaTag"},
        {&self->schedule, rows, "GammaFee"},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if ((*types[i].place = core_type(types[i].module, types[i].name)) == NULL)
            return 0;
#define FIND(of, name) && (self->of##_at.name = slot_of(self->of, #name))
#define FIND_ROW(name) FIND(row, name)
#define FIND_EVENT(name) FIND(event, name)
#define FIND_FEE(name) FIND(schedule, name)
    for (int i = 0; i < STATUSES; i++)
        if ((self->statuses[i] = PyUnicode_InternFromString(status_names[i])) == NULL)
            return 0;
    return (self->argument_names = argument_names()) && (self->lower = PyUnicode_InternFromString("lower"))
        && (self->series_id_at = slot_of(self->series, "id")) && (self->label_at = slot_of(self->tag, "label"))
        ROW_FIELDS(FIND_ROW) EVENT_FIELDS(FIND_EVENT) FEE_FIELDS(FIND_FEE);
}

static int parser_clear(Parser *self)
{
    for (PyObject **each = (PyObject **)&self->market; each < (PyObject **)self->fees; each++)
        Py_CLEAR(*each);
    forget_fees(self);
    return 0;
}

static int parser_init(Parser *self, PyObject *args, PyObject *Py_UNUSED(keywords))
{
    PyObject *given[8];
    if (!PyArg_ParseTuple(args, "OOOOOOOO", &given[0], &given[1], &given[2], &given[3], &given[4], &given[5], &given[6],
                          &given[7]))
        return -1;
    PyObject **places[] = {&self->texts, &self->date, &self->fee, &self->rules_hash, &self->categories, &self->venue,
                           &self->min_taker_buy, &self->version};
    parser_clear(self);
    for (int i = 0; i < 8; i++)
        *places[i] = Py_NewRef(given[i]);
    return prepare(self) ? 0 : -1;
}

static int parser_traverse(Parser *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    for (PyObject **each = (PyObject **)&self->market; each < (PyObject **)self->fees; each++)
        Py_VISIT(*each);
    return 0;
}

static void parser_dealloc(Parser *self)
{
    PyObject_GC_UnTrack(self);
    parser_clear(self);
    free_instance(self);
}

/* Whether the name of a field goes on from `at`, which is behind "elay". */
static int ends_name(const char *at, const char *end)
{
    const char *start = at;
    while (at < end && at - start < DELAY_NAME_MAX && (Py_ISALNUM((unsigned char)*at) || *at == '_'))
        at++;
    if (at >= end || *at++ != '"')
        return 0;
    while (at < end && Py_ISSPACE((unsigned char)*at))
        at++;
    return at < end && *at == ':';
}

/* names_delay(data): what may_have_delays of gamma_row.py returns. */
static PyObject *names_delay(PyObject *Py_UNUSED(module), PyObject *data)
{
    Py_buffer view;
    int found = 0;
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    const char *at = view.buf, *end = at + view.len, *last = end - 3;
    for (; !found && at < last; at += BLOCK) {
        Py_ssize_t size = last - at < BLOCK ? last - at : BLOCK;
        unsigned char maybe = 0; /* one byte, so that a compiler looks at many at once */
        for (Py_ssize_t i = 0; i < size; i++)
            maybe |= (unsigned char)(at[i] == 'e') & (unsigned char)(at[i + 3] == 'y');
        for (Py_ssize_t i = 0; maybe && !found && i < size; i++)
            found = memcmp(at + i, "elay", 4) == 0 && ends_name(at + i + 4, end);
        if (size < BLOCK)
            break;
    }
    PyBuffer_Release(&view);
    return PyBool_FromLong(found);
}

PyMethodDef gamma_functions[] = {
    {"names_delay", names_delay, METH_O, "Return whether a field is named after a delay; see gamma_row.py."},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef parser_methods[] = {
    {"read", (PyCFunction)(void (*)(void))parser_read, METH_FASTCALL, "Return the markets of rows; see market_parser.py."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot parser_slots[] = {
    {Py_tp_doc, "Makes markets of Gamma's rows; see market_parser.py."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, parser_init},
    {Py_tp_dealloc, parser_dealloc},
    {Py_tp_traverse, parser_traverse},
    {Py_tp_clear, parser_clear},
    {Py_tp_methods, parser_methods},
    {0, NULL},
};

PyType_Spec gamma_parser_spec = {
    .name = "predsurv._speedups.NativeGammaParser",
    .basicsize = sizeof(Parser),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = parser_slots,
};
