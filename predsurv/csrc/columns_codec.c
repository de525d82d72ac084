/* Records as columns: what wal/columns_codec.py does with a comprehension per field. */

#include "columns.h"
#include "level_changes.h"
#include "packed_book.h"
#include "packed_runs.h"
#include "parts.h"

#define LEVEL_BYTES 16
#define FIELDS_AHEAD 6
#define KNOWN_KEYS 256

enum { KEY, TS_VENUE, EPOCH, SEQ, SIDE, PRICE, SIZE, DELTA_RUNS };
enum { B_POSITION, B_KEY, B_TS_VENUE, B_MARK, B_SEQ, B_BIDS, B_ASKS, B_BID_PRICES, B_BID_SIZES, B_ASK_PRICES,
       B_ASK_SIZES, BOOK_RUNS };

static const uint8_t delta_scales[DELTA_RUNS] = {
    [TS_VENUE] = SCALE_MILLISECONDS, [PRICE] = SCALE_TICKS, [SIZE] = SCALE_HUNDREDTHS};
static const uint8_t book_scales[BOOK_RUNS] = {
    [B_TS_VENUE] = SCALE_MILLISECONDS, [B_BID_PRICES] = SCALE_TICKS, [B_BID_SIZES] = SCALE_HUNDREDTHS,
    [B_ASK_PRICES] = SCALE_TICKS, [B_ASK_SIZES] = SCALE_HUNDREDTHS};

/* The number seen last, borrowed: the changes of one message share theirs. */
typedef struct { PyObject *number; int64_t value; } Known;

typedef struct {
    const Module *module;
    PyObject *table;   /* number by key */
    struct { PyObject *key; int32_t number; } known[KNOWN_KEYS]; /* keys numbered lately, borrowed */
    PyObject *others;  /* what has no columns, with its position */
    Py_ssize_t count;  /* of records so far */
    Run times, deltas[DELTA_RUNS], books[BOOK_RUNS], tops[BOOK_RUNS];
    Known ts_recv, ts_venue;
} Columns;

static int32_t number_of(Columns *self, PyObject *key)
{
    size_t place = ((uintptr_t)key >> 4) % KNOWN_KEYS;
    if (key == self->known[place].key)
        return self->known[place].number;
    PyObject *found = PyDict_GetItemWithError(self->table, key);
    long number = found != NULL ? PyLong_AsLong(found) : (long)PyDict_GET_SIZE(self->table);
    if (found == NULL) {
        PyObject *fresh = PyErr_Occurred() ? NULL : PyLong_FromLong(number);
        int failed = fresh == NULL || PyDict_SetItem(self->table, key, fresh) < 0;
        Py_XDECREF(fresh);
        if (failed)
            return -1;
    }
    if (number < 0 || number > INT32_MAX) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_OverflowError, "a key table holds fewer instruments");
        return -1;
    }
    self->known[place].key = key;
    return self->known[place].number = (int32_t)number;
}

static int add_key(Columns *self, Run *run, PyObject *key)
{
    int32_t number = number_of(self, key);
    return number < 0 ? -1 : run_int64(run, number);
}

static inline int add_known(Known *known, Run *run, PyObject *number, int (*append)(Run *, PyObject *))
{
    if (number == known->number)
        return run_int64(run, known->value);
    if (append(run, number) < 0)
        return -1;
    known->number = number;
    memcpy(&known->value, run->content + run->size - sizeof(int64_t), sizeof(int64_t));
    return 0;
}

static int add_delta(Columns *self, PyObject *delta)
{
    const Module *module = self->module;
    Run *runs = self->deltas;
    PyObject *side = slot(delta, module->delta_at.side);
    int bid = side == module->bid
        || (side != module->ask && PyUnicode_Check(side) && PyUnicode_Compare(side, module->bid) == 0);
    return add_key(self, &runs[KEY], slot(delta, module->delta_at.key)) < 0
        || add_known(&self->ts_venue, &runs[TS_VENUE], slot(delta, module->delta_at.ts_venue), run_maybe) < 0
        || run_maybe(&runs[EPOCH], slot(delta, module->delta_at.epoch)) < 0
        || run_maybe(&runs[SEQ], slot(delta, module->delta_at.seq)) < 0
        || run_int64(&runs[SIDE], !bid) < 0
        || run_number(&runs[PRICE], slot(delta, module->delta_at.price)) < 0
        || run_number(&runs[SIZE], slot(delta, module->delta_at.size)) < 0
        || add_known(&self->ts_recv, &self->times, slot(delta, module->delta_at.ts_recv), run_number) < 0 ? -1 : 0;
}

/* Copy one field of every change. */
#define COPY(run, value) \
    for (Py_ssize_t i = 0; i < count; i++) { \
        int64_t each = (value); \
        memcpy(place[run] + i * (Py_ssize_t)sizeof each, &each, sizeof each); \
    }

static int add_changes(Columns *self, const LevelChanges *changes)
{
    const LevelChange *rows = changes->rows;
    Py_ssize_t count = changes->count, bytes = count * (Py_ssize_t)sizeof(int64_t);
    char *place[DELTA_RUNS], *times = run_grow(&self->times, bytes);
    int failed = times == NULL;
    for (int i = 0; !failed && i < DELTA_RUNS; i++)
        failed = (place[i] = run_grow(&self->deltas[i], bytes)) == NULL;
    for (Py_ssize_t i = 0; !failed && i < count; i++) {
        int64_t number = number_of(self, rows[i].key);
        failed = number < 0;
        memcpy(place[KEY] + i * (Py_ssize_t)sizeof number, &number, sizeof number);
        memcpy(times + i * (Py_ssize_t)sizeof changes->ts, &changes->ts, sizeof changes->ts);
    }
    if (failed)
        return -1;
    COPY(TS_VENUE, rows[i].ts_venue)
    COPY(EPOCH, changes->epoch_number)
    COPY(SEQ, rows[i].seq)
    COPY(SIDE, rows[i].ask)
    COPY(PRICE, rows[i].price)
    COPY(SIZE, rows[i].size)
    self->count += count;
    return 0;
}

/* The levels of one side; the run of sizes stands after that of prices. */
static int add_levels(Run *count, Run *prices, PyObject *side)
{
    if (!PyTuple_Check(side)) {
        PyErr_SetString(PyExc_TypeError, "a side of a book is a tuple of levels");
        return -1;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(side); i++) {
        PyObject *level = PyTuple_GET_ITEM(side, i);
        if (!PyTuple_Check(level) || PyTuple_GET_SIZE(level) != 2) {
            PyErr_SetString(PyExc_TypeError, "a level is a tuple of price and size");
            return -1;
        }
        if (run_number(prices, PyTuple_GET_ITEM(level, 0)) < 0 || run_number(prices + 1, PyTuple_GET_ITEM(level, 1)) < 0)
            return -1;
    }
    return run_int64(count, PyTuple_GET_SIZE(side));
}

/* What books and their tops have in common. */
static int add_facts(Columns *self, Run *runs, Py_ssize_t position, PyObject *key, PyObject *ts_recv, PyObject *ts_venue)
{
    return run_int64(&runs[B_POSITION], position) < 0 || add_key(self, &runs[B_KEY], key) < 0
        || run_number(&self->times, ts_recv) < 0 || run_maybe(&runs[B_TS_VENUE], ts_venue) < 0 ? -1 : 0;
}

static int add_book(Columns *self, Py_ssize_t position, PyObject *book)
{
    const Module *module = self->module;
    Run *runs = self->books;
    return add_facts(self, runs, position, slot(book, module->snapshot_at.key), slot(book, module->snapshot_at.ts_recv),
                     slot(book, module->snapshot_at.ts_venue)) < 0
        || add_levels(&runs[B_BIDS], &runs[B_BID_PRICES], slot(book, module->snapshot_at.bids)) < 0
        || add_levels(&runs[B_ASKS], &runs[B_ASK_PRICES], slot(book, module->snapshot_at.asks)) < 0
        || run_maybe(&runs[B_MARK], slot(book, module->snapshot_at.epoch)) < 0
        || run_maybe(&runs[B_SEQ], slot(book, module->snapshot_at.seq)) < 0 ? -1 : 0;
}

/* The levels of one side, the best first. */
static int add_rungs(Run *count, Run *prices, const Rung *rungs, Py_ssize_t depth, int sign)
{
    Py_ssize_t bytes = depth * (Py_ssize_t)sizeof(int64_t);
    char *price = depth > 0 ? run_grow(prices, bytes) : NULL, *size = depth > 0 ? run_grow(prices + 1, bytes) : NULL;
    if (depth > 0 && (price == NULL || size == NULL))
        return -1;
    for (Py_ssize_t i = 0; i < depth; i++) {
        int64_t level[] = {sign * rungs[depth - 1 - i].rank, rungs[depth - 1 - i].size};
        memcpy(price + i * (Py_ssize_t)sizeof(int64_t), &level[0], sizeof(int64_t));
        memcpy(size + i * (Py_ssize_t)sizeof(int64_t), &level[1], sizeof(int64_t));
    }
    return run_int64(count, depth);
}

static int add_packed_book(Columns *self, Py_ssize_t position, const PackedBook *book)
{
    Run *runs = self->books;
    return run_int64(&runs[B_POSITION], position) < 0 || add_key(self, &runs[B_KEY], book->key) < 0
        || run_int64(&self->times, book->ts) < 0 || run_int64(&runs[B_TS_VENUE], book->ts_venue) < 0
        || add_rungs(&runs[B_BIDS], &runs[B_BID_PRICES], book->rungs, book->bids, 1) < 0
        || add_rungs(&runs[B_ASKS], &runs[B_ASK_PRICES], book->rungs + book->bids, book->asks, -1) < 0
        || run_int64(&runs[B_MARK], book->epoch_number) < 0 || run_int64(&runs[B_SEQ], book->seq) < 0 ? -1 : 0;
}

static int add_packed(Run *count, Run *prices, PyObject *side)
{
    if (!PyBytes_Check(side) || PyBytes_GET_SIZE(side) % LEVEL_BYTES != 0) {
        PyErr_SetString(PyExc_TypeError, "a side of a top is packed levels");
        return -1;
    }
    const char *levels = PyBytes_AS_STRING(side);
    Py_ssize_t depth = PyBytes_GET_SIZE(side) / LEVEL_BYTES, half = LEVEL_BYTES / 2;
    char *price = depth > 0 ? run_grow(prices, depth * half) : NULL;
    char *size = depth > 0 ? run_grow(prices + 1, depth * half) : NULL;
    if (depth > 0 && (price == NULL || size == NULL))
        return -1;
    for (Py_ssize_t i = 0; i < depth; i++) {
        memcpy(price + i * half, levels + i * LEVEL_BYTES, (size_t)half);
        memcpy(size + i * half, levels + i * LEVEL_BYTES + half, (size_t)half);
    }
    return run_int64(count, depth);
}

static int add_top(Columns *self, Py_ssize_t position, PyObject *top)
{
    const Module *module = self->module;
    Run *runs = self->tops;
    return add_facts(self, runs, position, slot(top, module->top_at.key), slot(top, module->top_at.ts_recv),
                     slot(top, module->top_at.ts_venue)) < 0
        || add_packed(&runs[B_BIDS], &runs[B_BID_PRICES], slot(top, module->top_at.bids)) < 0
        || add_packed(&runs[B_ASKS], &runs[B_ASK_PRICES], slot(top, module->top_at.asks)) < 0
        || run_int64(&runs[B_MARK], slot(top, module->top_at.trusted) == Py_True) < 0
        || run_int64(&runs[B_SEQ], ABSENT) < 0 ? -1 : 0;
}

static int add_other(Columns *self, Py_ssize_t position, PyObject *record)
{
    PyObject *place = Py_BuildValue("nO", position, record);
    int failed = place == NULL || PyList_Append(self->others, place) < 0;
    Py_XDECREF(place);
    if (failed)
        return -1;
    PyObject *at = PyObject_GetAttr(record, self->module->ts_recv);
    if (at == NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) { /* a coverage record */
        PyErr_Clear();
        at = PyObject_GetAttr(record, self->module->start);
    }
    failed = at == NULL || run_number(&self->times, at) < 0;
    Py_XDECREF(at);
    return failed ? -1 : 0;
}

/* Fetch what the records ahead need: each field of a record is an object somewhere else in memory. */
static inline void fetch_ahead(const Columns *self, PyObject *records, Py_ssize_t at)
{
    const Module *module = self->module;
#ifdef __GNUC__
    if (at + 2 * FIELDS_AHEAD < PyList_GET_SIZE(records)) {
        const char *far = (const char *)PyList_GET_ITEM(records, at + 2 * FIELDS_AHEAD);
        __builtin_prefetch(far);
        __builtin_prefetch(far + 64);
    }
    if (at + FIELDS_AHEAD < PyList_GET_SIZE(records)) {
        PyObject *near = PyList_GET_ITEM(records, at + FIELDS_AHEAD);
        if (Py_IS_TYPE(near, module->delta)) {
            __builtin_prefetch(slot(near, module->delta_at.size));
            __builtin_prefetch(slot(near, module->delta_at.price));
            __builtin_prefetch(slot(near, module->delta_at.ts_recv));
            __builtin_prefetch(slot(near, module->delta_at.ts_venue));
            __builtin_prefetch(slot(near, module->delta_at.key));
        }
    }
#else
    (void)self;
    (void)records;
    (void)at;
#endif
}

static int add_record(Columns *self, PyObject *record)
{
    const Module *module = self->module;
    if (Py_IS_TYPE(record, module->level_changes))
        return add_changes(self, (LevelChanges *)record);
    Py_ssize_t position = self->count++;
    if (Py_IS_TYPE(record, module->delta))
        return add_delta(self, record);
    if (Py_IS_TYPE(record, module->top))
        return add_top(self, position, record);
    if (Py_IS_TYPE(record, module->packed_book))
        return add_packed_book(self, position, (PackedBook *)record);
    if (Py_IS_TYPE(record, module->snapshot))
        return add_book(self, position, record);
    return add_other(self, position, record);
}

static PyObject *pack(const Run *run, uint8_t scale)
{
    return pack_run((int64_t *)(void *)run->content, (size_t)run->size / sizeof(int64_t), scale);
}

/* Runs as a tuple of packed runs, None when there is nothing. */
static PyObject *tuple_of(const Run *runs, int count, const uint8_t *scales)
{
    if (runs[0].size == 0)
        return Py_NewRef(Py_None);
    PyObject *made = PyTuple_New(count);
    for (int i = 0; made != NULL && i < count; i++) {
        PyObject *bytes = pack(&runs[i], scales[i]);
        if (bytes == NULL)
            Py_CLEAR(made);
        else
            PyTuple_SET_ITEM(made, i, bytes);
    }
    return made;
}

static void release(Columns *self)
{
    PyMem_Free(self->times.content);
    for (int i = 0; i < DELTA_RUNS; i++)
        PyMem_Free(self->deltas[i].content);
    for (int i = 0; i < BOOK_RUNS; i++) {
        PyMem_Free(self->books[i].content);
        PyMem_Free(self->tops[i].content);
    }
    Py_CLEAR(self->others);
}

static PyObject *collected(const Columns *self)
{
    PyObject *times = pack(&self->times, SCALE_NONE), *deltas = tuple_of(self->deltas, DELTA_RUNS, delta_scales);
    PyObject *books = tuple_of(self->books, BOOK_RUNS, book_scales);
    PyObject *tops = tuple_of(self->tops, BOOK_RUNS, book_scales), *made = NULL;
    if (times != NULL && deltas != NULL && books != NULL && tops != NULL)
        made = Py_BuildValue("nOOOOO", self->count, times, deltas, books, tops, self->others);
    Py_XDECREF(times);
    Py_XDECREF(deltas);
    Py_XDECREF(books);
    Py_XDECREF(tops);
    return made;
}

static PyObject *columns_of(PyObject *module, PyObject *args)
{
    PyObject *records, *table, *made = NULL;
    Columns self = {.module = PyModule_GetState(module)};
    if (!PyArg_ParseTuple(args, "O!O!", &PyList_Type, &records, &PyDict_Type, &table))
        return NULL;
    self.table = table;
    Py_ssize_t expected = (PyList_GET_SIZE(records) + 1) * (Py_ssize_t)sizeof(int64_t);
    int failed = (self.others = PyList_New(0)) == NULL || run_expect(&self.times, expected) < 0;
    for (int i = 0; !failed && i < DELTA_RUNS; i++) /* most records are changes */
        failed = run_expect(&self.deltas[i], expected) < 0;
    for (Py_ssize_t i = 0; !failed && i < PyList_GET_SIZE(records); i++) {
        fetch_ahead(&self, records, i);
        failed = add_record(&self, PyList_GET_ITEM(records, i)) < 0;
    }
    if (!failed)
        made = collected(&self);
    release(&self);
    return made;
}

static PyObject *count_of(PyObject *module, PyObject *given)
{
    const Module *self = PyModule_GetState(module);
    PyObject *items = PySequence_Fast(given, "count_of(items: Sequence)");
    if (items == NULL)
        return NULL;
    Py_ssize_t count = PySequence_Fast_GET_SIZE(items);
    PyObject **each = PySequence_Fast_ITEMS(items), **end = each + count;
    for (; each < end; each++)
        if (Py_IS_TYPE(*each, self->level_changes))
            count += ((LevelChanges *)*each)->count - 1;
    Py_DECREF(items);
    return PyLong_FromSsize_t(count);
}

PyMethodDef columns_functions[] = {
    {"count_of", count_of, METH_O, "Return how many events or records there are; see core/level_changes.py."},
    {"level_arrays", level_arrays, METH_VARARGS, "Return the levels of many sides as a column each; see seal/tables.py."},
    {"arrival_numbers", arrival_numbers, METH_VARARGS, "Return the arrival number of each record; see seal/runs.py."},
    {"all_but", all_but, METH_VARARGS, "Return the positions that are not named; see seal/runs.py."},
    {"unpack_runs", unpack_runs, METH_VARARGS, "Return the values of packed runs; see wal/packed_runs.py."},
    {"columns_of", columns_of, METH_VARARGS, "Return the columns of records; see wal/columns_codec.py."},
    {NULL, NULL, 0, NULL},
};
