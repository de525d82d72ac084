/* What is remembered of public trades: engine/fills/told_trades.py, in tables of its own. */

#include "told_trades.h"

#include "parts.h"
#include "rows.h"

#define ROOM_FIRST 64

/* Either an id (`id` is a text) or an identity (`id` is the outcome on which it was told first). `key` is NULL where
   there is nothing; a count of 0 is an identity that was taken out. */
typedef struct {
    PyObject *key, *id;
    int64_t price, size, ts_venue, told_at, count;
    Py_hash_t hash;
    int taker;
} Entry;

/* Entries by hash, the next free place after it. `room` is a power of two; `used` counts those taken out as well. */
typedef struct { Entry *entries; Py_ssize_t room, used, live; } Table;

struct ToldTrades {
    PyObject_HEAD
    Table ids[2], identities[2]; /* what came lately, and before that */
    Py_ssize_t ids_kept, identities_kept;
    int64_t echo_after_max;
};

static void table_clear(Table *self)
{
    for (Py_ssize_t i = 0; i < self->room; i++) {
        Py_XDECREF(self->entries[i].key);
        Py_XDECREF(self->entries[i].id);
    }
    PyMem_Free(self->entries);
    memset(self, 0, sizeof *self);
}

static Py_hash_t mixed(Py_hash_t hash, int64_t value)
{
    uint64_t bits = ((uint64_t)hash ^ (uint64_t)value) * UINT64_C(0x9E3779B97F4A7C15);
    return (Py_hash_t)(bits ^ bits >> 32);
}

static int same_object(PyObject *one, PyObject *other)
{
    return one == other ? 1 : PyObject_RichCompareBool(one, other, Py_EQ);
}

/* Whether two entries are of the same trade; -1 with an exception. */
static int same(const Entry *one, const Entry *other, int by_id)
{
    if (one->hash != other->hash || one->ts_venue != other->ts_venue || one->price != other->price
        || one->size != other->size || one->taker != other->taker)
        return 0;
    int equal = same_object(one->key, other->key);
    return equal > 0 && by_id ? same_object(one->id, other->id) : equal;
}

/* The place of an entry, one that was taken out included; NULL where it has none, or with an exception. */
static Entry *table_find(const Table *self, const Entry *wanted, int by_id)
{
    if (!self->room)
        return NULL;
    for (size_t at = (size_t)wanted->hash;; at++) {
        Entry *entry = &self->entries[at & (size_t)(self->room - 1)];
        if (entry->key == NULL)
            return NULL;
        int equal = same(entry, wanted, by_id);
        if (equal)
            return equal < 0 ? NULL : entry;
    }
}

static void table_place(Table *self, const Entry *entry)
{
    size_t at = (size_t)entry->hash;
    while (self->entries[at & (size_t)(self->room - 1)].key != NULL)
        at++;
    self->entries[at & (size_t)(self->room - 1)] = *entry;
    self->used++;
}

/* Make room for one more, leaving out what was taken out. */
static int table_grow(Table *self)
{
    if (self->used < self->room / 4 * 3)
        return 0;
    Py_ssize_t room = self->room ? self->room : ROOM_FIRST;
    while (room < self->live * 2)
        room *= 2;
    Table made = {PyMem_Calloc((size_t)room, sizeof(Entry)), room, 0, self->live};
    if (made.entries == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < self->room; i++) {
        Entry *entry = &self->entries[i];
        if (entry->key != NULL && entry->count) {
            table_place(&made, entry);
            Py_INCREF(entry->key);
            Py_INCREF(entry->id);
        }
    }
    table_clear(self);
    *self = made;
    return 0;
}

/* Let the first of a pair of tables become the second when it is full. */
static void turn_over(Table pair[2], Py_ssize_t kept)
{
    if (pair[0].live < kept)
        return;
    table_clear(&pair[1]);
    pair[1] = pair[0];
    memset(&pair[0], 0, sizeof pair[0]);
}

/* Add an entry that has no place in the first of a pair of tables. */
static int remember(Table pair[2], const Entry *entry, Py_ssize_t kept)
{
    if (table_grow(&pair[0]) < 0)
        return -1;
    Py_INCREF(entry->key);
    Py_INCREF(entry->id);
    table_place(&pair[0], entry);
    pair[0].live++;
    turn_over(pair, kept);
    return 0;
}

int told_knows(ToldTrades *self, PyObject *key, PyObject *trade_id, int64_t ts_venue)
{
    Py_hash_t of_key = PyObject_Hash(key), of_id = PyObject_Hash(trade_id);
    if (of_key == -1 || of_id == -1)
        return -1;
    Entry entry = {.key = key, .id = trade_id, .ts_venue = ts_venue, .count = 1};
    entry.hash = mixed(mixed(of_key, of_id), ts_venue);
    for (int i = 0; i < 2; i++) {
        if (table_find(&self->ids[i], &entry, 1) != NULL)
            return 1;
        if (PyErr_Occurred())
            return -1;
    }
    return remember(self->ids, &entry, self->ids_kept);
}

int told_is_echo(ToldTrades *self, const TradeIdentity *identity, PyObject *key, int64_t ts_recv)
{
    Py_hash_t of_key = PyObject_Hash(identity->key);
    if (of_key == -1)
        return -1;
    Entry entry = {.key = identity->key, .id = key, .price = identity->price, .size = identity->size,
                   .ts_venue = identity->ts_venue, .told_at = ts_recv, .count = 1, .taker = identity->taker};
    entry.hash = mixed(mixed(mixed(of_key, entry.price), entry.size), entry.ts_venue);
    Table *tables = self->identities;
    Entry *lately = table_find(&tables[0], &entry, 0), *found = lately;
    if (!PyErr_Occurred() && (lately == NULL || !lately->count))
        found = table_find(&tables[1], &entry, 0);
    if (PyErr_Occurred())
        return -1;
    int echo = 0;
    if (found != NULL && found->count && ts_recv - found->told_at <= self->echo_after_max) {
        int equal = same_object(found->id, key);
        if (equal < 0)
            return -1;
        echo = !equal;
        entry.count = equal ? found->count + 1 : found->count - 1;
    }
    if (echo) {
        entry.id = found->id;
        entry.told_at = found->told_at;
    }
    if (found != lately && found != NULL)
        found->count = 0; /* it moves */
    if (lately == NULL)
        return entry.count && remember(tables, &entry, self->identities_kept) < 0 ? -1 : echo;
    tables[0].live += (entry.count > 0) - (lately->count > 0);
    Py_XSETREF(lately->id, Py_NewRef(entry.id));
    lately->told_at = entry.told_at;
    lately->count = entry.count;
    turn_over(tables, self->identities_kept);
    return echo;
}

/* None as ABSENT; -1 with an exception as PyLong_AsLongLong. */
static int64_t time_of(PyObject *given) { return given == Py_None ? ABSENT : PyLong_AsLongLong(given); }

static PyObject *replied(int answer) { return answer < 0 ? NULL : PyBool_FromLong(answer); }

static PyObject *method_knows(ToldTrades *self, PyObject *const *args, Py_ssize_t count)
{
    if (count != 3) {
        PyErr_SetString(PyExc_TypeError, "knows(key, trade_id, ts_venue)");
        return NULL;
    }
    int64_t ts_venue = time_of(args[2]);
    return ts_venue == -1 && PyErr_Occurred() ? NULL : replied(told_knows(self, args[0], args[1], ts_venue));
}

static PyObject *method_is_echo(ToldTrades *self, PyObject *args)
{
    TradeIdentity identity;
    PyObject *taker, *ts_venue, *key;
    long long price, size, ts_recv;
    if (!PyArg_ParseTuple(args, "(OLLOO)OL", &identity.key, &price, &size, &taker, &ts_venue, &key, &ts_recv))
        return NULL;
    identity.price = price;
    identity.size = size;
    identity.ts_venue = time_of(ts_venue);
    if (identity.ts_venue == -1 && PyErr_Occurred())
        return NULL;
    identity.taker = taker == Py_None ? SIDE_NONE : SIDE_BID;
    if (taker != Py_None && PyUnicode_Check(taker) && PyUnicode_CompareWithASCIIString(taker, "sell") == 0)
        identity.taker = SIDE_ASK;
    return replied(told_is_echo(self, &identity, key, ts_recv));
}

static int told_init(ToldTrades *self, PyObject *args, PyObject *Py_UNUSED(keywords))
{
    long long echo_after_max;
    if (!PyArg_ParseTuple(args, "nnL", &self->ids_kept, &self->identities_kept, &echo_after_max))
        return -1;
    self->echo_after_max = echo_after_max;
    return 0;
}

static void told_dealloc(ToldTrades *self)
{
    for (int i = 0; i < 2; i++) {
        table_clear(&self->ids[i]);
        table_clear(&self->identities[i]);
    }
    free_instance(self);
}

static PyMethodDef told_methods[] = {
    {"knows", (PyCFunction)(void (*)(void))method_knows, METH_FASTCALL, "Return whether an id was told before."},
    {"is_echo", (PyCFunction)method_is_echo, METH_VARARGS, "Return whether a trade was told on the other outcome."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot told_trades_slots[] = {
    {Py_tp_doc, "What is remembered of public trades; see engine/fills/told_trades.py."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, told_init},
    {Py_tp_dealloc, told_dealloc},
    {Py_tp_methods, told_methods},
    {0, NULL},
};

PyType_Spec told_trades_spec = {
    .name = "predsurv._speedups.NativeToldTrades",
    .basicsize = sizeof(ToldTrades),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = told_trades_slots,
};
