/* Rows as the events that Python knows. */

#include "replay.h"

#include "slots.h"

int events_prepare(Module *module)
{
    if (module->instrument_state != NULL)
        return 0;
    Py_XSETREF(module->best_before, core_type("predsurv.engine.call_filter", "BestBefore"));
    PyTypeObject *state = core_type("predsurv.state.market_cache", "InstrumentState");
    if (module->best_before == NULL
        || state == NULL || !(module->state_at.price = slot_of(state, "last_price"))
        || !(module->state_at.size = slot_of(state, "last_size"))
        || !(module->state_at.ts = slot_of(state, "last_trade_ts"))) {
        Py_XDECREF(state);
        return -1;
    }
    module->instrument_state = state; /* last: it says that all was found */
    return 0;
}

static PyObject *maybe(int64_t value) { return value == ABSENT ? Py_NewRef(Py_None) : PyLong_FromLongLong(value); }

/* An instance of `type` made of `count` values, whose references are taken. */
static PyObject *made_of(PyTypeObject *type, PyObject **values, Py_ssize_t count)
{
    PyObject *made = NULL;
    int failed = 0;
    for (Py_ssize_t i = 0; i < count; i++)
        failed |= values[i] == NULL;
    if (!failed)
        made = PyObject_Vectorcall((PyObject *)type, values, (size_t)count, NULL);
    for (Py_ssize_t i = 0; i < count; i++)
        Py_XDECREF(values[i]);
    return made;
}


PyObject *delta_of(const Replay *self, const Rows *rows, const Row *row)
{
    PyObject *values[] = {
        Py_NewRef(self->instruments[row_instrument(rows, row)].key), PyLong_FromLongLong(row->ts), maybe(row->ts_venue),
        PyLong_FromLong(row->epoch), maybe(row->seq), Py_NewRef(row->side == SIDE_ASK ? self->module->ask : self->module->bid),
        PyLong_FromLong(row->price), PyLong_FromLongLong(row->size),
    };
    return made_of(self->module->delta, values, 8);
}

PyObject *trade_of(const Replay *self, const Rows *rows, const Row *row)
{
    PyObject *taker = row->side == SIDE_NONE ? Py_None : row->side == SIDE_ASK ? self->module->sell : self->module->buy;
    PyObject *values[] = {
        Py_NewRef(self->instruments[row_instrument(rows, row)].key), PyLong_FromLongLong(row->ts), maybe(row->ts_venue),
        PyLong_FromLong(row->price), PyLong_FromLongLong(row->size), Py_NewRef(taker),
        Py_NewRef(PyList_GET_ITEM(rows->trade_ids, row->seq)),
    };
    return made_of(self->module->trade, values, 7);
}

/* The levels of one side among `count` rows. */
static PyObject *side_of(const Rows *rows, Py_ssize_t first, Py_ssize_t count, int side)
{
    PyObject *levels = PyList_New(0);
    for (Py_ssize_t i = 0; levels != NULL && i < count; i++) {
        const Row *row = rows_at(rows, first + i);
        if ((row->side == SIDE_ASK) != side)
            continue;
        PyObject *level = Py_BuildValue("(iL)", (int)row->price, (long long)row->size);
        if (level == NULL || PyList_Append(levels, level) < 0)
            Py_CLEAR(levels);
        Py_XDECREF(level);
    }
    PyObject *made = levels == NULL ? NULL : PyList_AsTuple(levels);
    Py_XDECREF(levels);
    return made;
}

static PyObject *snapshot_taken(const Replay *self, Rows *rows, const Row *row)
{
    Py_ssize_t first = ++rows->at;
    while (rows->at < rows->count && rows_at(rows, rows->at)->kind == ROW_LEVEL)
        rows->at++;
    PyObject *values[] = {
        Py_NewRef(self->instruments[row_instrument(rows, row)].key), PyLong_FromLongLong(row->ts), maybe(row->ts_venue),
        PyLong_FromLong(row->epoch), maybe(row->seq), side_of(rows, first, rows->at - first, 0),
        side_of(rows, first, rows->at - first, 1),
    };
    return made_of(self->module->snapshot, values, 7);
}

PyObject *event_taken(Replay *self, Cursor *cursor)
{
    if (cursor->events != NULL) {
        PyObject *entry = PyList_GET_ITEM(cursor->events, cursor->at);
        cursor->at++;
        return Py_NewRef(PyTuple_GET_ITEM(entry, 3));
    }
    const Row *row = rows_next(cursor->rows);
    if (row->kind == ROW_CLEAR)
        return snapshot_taken(self, cursor->rows, row);
    cursor->rows->at++;
    return row->kind == ROW_TRADE ? trade_of(self, cursor->rows, row) : delta_of(self, cursor->rows, row);
}

static int put(PyObject *object, Py_ssize_t offset, int64_t value)
{
    PyObject *number = PyLong_FromLongLong(value);
    if (number == NULL)
        return -1;
    Py_XSETREF(*(PyObject **)((char *)object + offset), number);
    return 0;
}

static int state_put(const Module *module, PyObject *state, const Row *row, int64_t price)
{
    if (!Py_IS_TYPE(state, module->instrument_state)) {
        PyErr_SetString(PyExc_TypeError, "a state of the cache is an InstrumentState");
        return -1;
    }
    return put(state, module->state_at.price, price) < 0 || put(state, module->state_at.size, row->size) < 0
        || put(state, module->state_at.ts, row->ts) < 0 ? -1 : 0;
}

/* The state as the cache has it: 1, 0 when it has none, -1 with an exception. */
static int find_state(Replay *self, Instrument *instrument)
{
    if (instrument->state == NULL) {
        PyObject *found = PyDict_GetItemWithError(self->states, instrument->key);
        if (found == NULL)
            return PyErr_Occurred() ? -1 : 0;
        instrument->state = Py_NewRef(found);
    }
    return 1;
}

/* Take a trade for the last one of its instrument and of its mirror: 1 done, 0 for Python, -1 with an exception. */
int state_follow(Replay *self, Instrument *instrument, const Row *row)
{
    Instrument *mirror = instrument->mirror < 0 ? NULL : &self->instruments[instrument->mirror];
    int found = find_state(self, instrument);
    if (found == 1 && mirror != NULL)
        found = find_state(self, mirror);
    if (found != 1)
        return found;
    if (state_put(self->module, instrument->state, row, row->price) < 0)
        return -1;
    return mirror == NULL || state_put(self->module, mirror->state, row, MICROS - row->price) == 0 ? 1 : -1;
}

/* The best prices before an event: None where the book was not known, or where nobody asks. */
static PyObject *best_before(const Replay *self, const int64_t before[2])
{
    if (before == NULL || !self->best_before || before[0] == INT64_MAX)
        return Py_NewRef(Py_None);
    PyObject *values[] = {maybe(before[0]), maybe(before[1])};
    return made_of(self->module->best_before, values, 2);
}

int show_event(Replay *self, PyObject *event, int64_t ts, const int64_t before[2], uint64_t wanted, int observed)
{
    PyObject *answer = NULL;
    int answered = 1;
    if (event != NULL && !observed && !(wanted & ~self->direct))
        answered = call_strategies(self, event, ts, &wanted, &answer);
    if (event == NULL || answered <= 0) {
        Py_XDECREF(event);
        return event == NULL || answered < 0 ? -1 : SHOWN;
    }
    PyObject *best = best_before(self, before), *bits = best == NULL ? NULL : PyLong_FromUnsignedLongLong(wanted);
    PyObject *given[] = {event, best, bits, observed ? Py_True : Py_False, answer == NULL ? Py_None : answer};
    PyObject *more = bits == NULL ? NULL : PyObject_Vectorcall(self->show, given, 5, NULL);
    int go_on = more == NULL ? -1 : PyObject_IsTrue(more);
    Py_XDECREF(answer);
    Py_DECREF(event);
    Py_XDECREF(best);
    Py_XDECREF(bits);
    Py_XDECREF(more);
    return go_on < 0 ? -1 : go_on ? SHOWN : SHOWN_LAST;
}
