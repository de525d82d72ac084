/* Trades that nobody observes are remembered all the same: engine/fills/primary_trades.py, on its own tables. */

#include "replay.h"

/* What is remembered of trades by one broker: pairs of dicts, the first of what came lately. */
typedef struct {
    PyObject *ids, *identities; /* borrowed */
    Py_ssize_t ids_kept, identities_kept;
    long long echo_after_max;
} Told;

static int told_from(Told *self, PyObject *given)
{
    return PyTuple_Check(given)
        && PyArg_ParseTuple(given, "O!O!nnL", &PyList_Type, &self->ids, &PyList_Type, &self->identities, &self->ids_kept,
                            &self->identities_kept, &self->echo_after_max)
        && PyList_GET_SIZE(self->ids) == 2 && PyList_GET_SIZE(self->identities) == 2 ? 0 : -1;
}

/* Check what `told` says of several brokers. */
int told_check(PyObject *told)
{
    Told one;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(told); i++)
        if (told_from(&one, PyTuple_GET_ITEM(told, i)) < 0) {
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_TypeError, "told is (ids, identities, kept, kept, time) of each broker");
            return -1;
        }
    return 0;
}

/* One of a pair of dicts, borrowed; NULL with an exception. */
static PyObject *table(PyObject *pair, int which)
{
    PyObject *found = PyList_GET_ITEM(pair, which);
    if (PyDict_Check(found))
        return found;
    PyErr_SetString(PyExc_TypeError, "what is remembered of trades are dicts");
    return NULL;
}

/* Put a value into the first of a pair; when that is full it becomes the second. */
static int remember(PyObject *pair, PyObject *name, PyObject *value, Py_ssize_t kept)
{
    PyObject *lately = table(pair, 0);
    if (lately == NULL || PyDict_SetItem(lately, name, value) < 0)
        return -1;
    if (PyDict_GET_SIZE(lately) < kept)
        return 0;
    PyObject *fresh = PyDict_New();
    if (fresh == NULL || PyList_SetItem(pair, 1, Py_NewRef(lately)) < 0)
        return -1;
    return PyList_SetItem(pair, 0, fresh);
}

/* Whether the id was told before, which it is from now on; -1 with an exception. */
static int knows_id(const Told *self, PyObject *entry)
{
    for (int i = 0; i < 2; i++) {
        PyObject *ids = table(self->ids, i);
        int known = ids == NULL ? -1 : PyDict_Contains(ids, entry);
        if (known != 0)
            return known;
    }
    return remember(self->ids, entry, Py_None, self->ids_kept);
}

/* The entry of an identity, taken out of where it is: a new reference, NULL for none or with an exception. */
static PyObject *taken_out(const Told *self, PyObject *identity)
{
    for (int i = 0; i < 2; i++) {
        PyObject *identities = table(self->identities, i);
        PyObject *found = identities == NULL ? NULL : Py_XNewRef(PyDict_GetItemWithError(identities, identity));
        if (found != NULL && PyDict_DelItem(identities, identity) < 0)
            Py_CLEAR(found);
        if (found != NULL || PyErr_Occurred())
            return found;
    }
    return NULL;
}

static int note_identity(const Told *self, PyObject *identity, PyObject *key, int64_t ts)
{
    PyObject *before_key = NULL, *told = taken_out(self, identity);
    int count = 0;
    long long told_at = 0;
    if (PyErr_Occurred() || (told != NULL && !PyArg_ParseTuple(told, "OiL", &before_key, &count, &told_at))) {
        Py_XDECREF(told);
        return -1;
    }
    int same = 1;
    if (told == NULL || ts - told_at > self->echo_after_max)
        count = 0;
    else
        same = before_key == key ? 1 : PyObject_RichCompareBool(before_key, key, Py_EQ);
    PyObject *made = NULL;
    if (same == 1)
        made = Py_BuildValue("OiL", key, count + 1, (long long)ts);
    else if (same == 0 && count > 1)
        made = Py_BuildValue("OiL", before_key, count - 1, told_at);
    int failed = same < 0 || PyErr_Occurred() || (made != NULL && remember(self->identities, identity, made, self->identities_kept) < 0);
    Py_XDECREF(made);
    Py_XDECREF(told);
    return failed ? -1 : 0;
}

/* What PrimaryTrades.once remembers of a trade; where both outcomes share a book also by what it is there. */
static int note(const Told *self, PyObject *entry, PyObject *identity, PyObject *key, int64_t ts)
{
    int known = entry == Py_None ? 0 : knows_id(self, entry);
    if (known < 0)
        return -1;
    return known || identity == Py_None ? 0 : note_identity(self, identity, key, ts);
}

static PyObject *entry_of(PyObject *key, PyObject *trade_id, PyObject *ts_venue)
{
    return trade_id == Py_None ? Py_NewRef(Py_None) : PyTuple_Pack(3, key, trade_id, ts_venue);
}

static PyObject *identity_of(const Replay *self, const Instrument *instrument, const Row *row, PyObject *ts_venue)
{
    if (instrument->mirror < 0)
        return Py_NewRef(Py_None);
    const Instrument *primary = &self->instruments[instrument->primary];
    int turned = primary != instrument;
    PyObject *taker = row->side == SIDE_NONE ? Py_None : taker_text((row->side == SIDE_ASK) != turned);
    long price = turned ? MICROS - (long)row->price : (long)row->price;
    return Py_BuildValue("OlLOO", primary->key, price, (long long)row->size, taker, ts_venue);
}

/* Let every broker remember a trade. -1 with an exception. */
int trade_note(Replay *self, const Rows *rows, const Row *row)
{
    const Instrument *instrument = &self->instruments[row_instrument(rows, row)];
    PyObject *key = instrument->key;
    PyObject *ts_venue = row->ts_venue == ABSENT ? Py_NewRef(Py_None) : PyLong_FromLongLong(row->ts_venue);
    PyObject *entry = ts_venue == NULL ? NULL : entry_of(key, PyList_GET_ITEM(rows->trade_ids, row->seq), ts_venue);
    PyObject *identity = entry == NULL ? NULL : identity_of(self, instrument, row, ts_venue);
    int failed = identity == NULL;
    for (Py_ssize_t i = 0; !failed && i < PyTuple_GET_SIZE(self->told); i++) {
        Told one;
        failed = told_from(&one, PyTuple_GET_ITEM(self->told, i)) < 0 || note(&one, entry, identity, key, row->ts) < 0;
    }
    Py_XDECREF(ts_venue);
    Py_XDECREF(entry);
    Py_XDECREF(identity);
    return failed ? -1 : 0;
}
