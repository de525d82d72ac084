/* Rows of one data file: taken from Arrow columns and sorted by reception. */

#include "rows.h"

#include "parts.h"
#include "rows_columns.h"

enum { TS, TS_VENUE, MARKET, INSTRUMENT, SIDE, PRICE, SIZE, SEGMENT, ARRIVAL, KIND, EPOCH, SEQ, BOOK_COLUMNS };
#define TRADE_COLUMNS KIND

static const Py_ssize_t widths[BOOK_COLUMNS] = {8, 8, 4, 4, 4, 8, 8, 8, 4, 4, 8, 8};

typedef struct {
    Column columns[BOOK_COLUMNS];
    PyObject *markets, *instruments, *sides, *kinds, *resolve;
    int64_t lo, hi;
    int32_t market, instrument, number; /* of the row before: files are sorted by instrument */
} Batch;

/* The code of a dictionary's text, by its first letter; SIDE_NONE or ROW_TRADE for any other. */
static int code_of(PyObject *texts, int32_t at, const char *letters, int other)
{
    PyObject *text = at >= 0 && at < PyList_GET_SIZE(texts) ? PyList_GET_ITEM(texts, at) : NULL;
    if (text == NULL || !PyUnicode_Check(text) || PyUnicode_GET_LENGTH(text) == 0)
        return other;
    Py_UCS4 first = PyUnicode_READ_CHAR(text, 0);
    for (int code = 0; letters[code] != '\0'; code++)
        if (first == (Py_UCS4)letters[code])
            return code;
    return other;
}

/* The number of a row's instrument, -1 when it is not wanted; -2 with an exception. */
static int32_t number_of(Batch *batch, Py_ssize_t row)
{
    int32_t market = column_int32(&batch->columns[MARKET], row);
    int32_t instrument = column_int32(&batch->columns[INSTRUMENT], row);
    if (market == batch->market && instrument == batch->instrument)
        return batch->number;
    if (market < 0 || market >= PyList_GET_SIZE(batch->markets) || instrument < 0
        || instrument >= PyList_GET_SIZE(batch->instruments)) {
        PyErr_SetString(PyExc_ValueError, "an id beyond its dictionary");
        return -2;
    }
    PyObject *found = PyObject_CallFunctionObjArgs(batch->resolve, PyList_GET_ITEM(batch->markets, market),
                                                   PyList_GET_ITEM(batch->instruments, instrument), NULL);
    long number = found == NULL ? -2 : PyLong_AsLong(found);
    Py_XDECREF(found);
    if (PyErr_Occurred() || number < -1 || number > INT32_MAX)
        return PyErr_Occurred() ? -2 : (PyErr_SetString(PyExc_ValueError, "no instrument has this number"), -2);
    batch->market = market;
    batch->instrument = instrument;
    return batch->number = (int32_t)number;
}

static int refuse(const char *what)
{
    PyErr_SetString(PyExc_ValueError, what);
    return -1;
}

static int fill_numbers(const Batch *batch, Py_ssize_t at, Row *row)
{
    const Column *columns = batch->columns;
    int64_t price = column_micros(&columns[PRICE], at), segment = column_int64(&columns[SEGMENT], at);
    row->size = column_micros(&columns[SIZE], at);
    row->ts_venue = column_has(&columns[TS_VENUE], at) ? column_int64(&columns[TS_VENUE], at) : ABSENT;
    row->arrival = column_int32(&columns[ARRIVAL], at);
    if (segment < INT32_MIN || segment > INT32_MAX)
        return refuse("a segment's number is beyond 32 bits");
    row->segment = (int32_t)segment;
    if (row->kind == ROW_CLEAR) {
        row->price = 0;
        row->size = 0;
        return 0;
    }
    if (!column_has(&columns[PRICE], at) || !column_has(&columns[SIZE], at) || price < 0 || price > INT32_MAX
        || row->size < 0 || (row->side == SIDE_NONE && row->kind != ROW_TRADE))
        return refuse("a row without side, price or size, or beyond what they can be");
    row->price = (int32_t)price;
    return 0;
}

static int fill_row(Batch *batch, Py_ssize_t at, int trades, Row *row)
{
    const Column *columns = batch->columns;
    row->kind = ROW_TRADE;
    row->side = SIDE_NONE;
    row->epoch = 0;
    row->seq = at; /* of a trade: completed by the caller */
    if (column_has(&columns[SIDE], at)) /* bid, ask; of trades: buy, sell */
        row->side = (uint8_t)code_of(batch->sides, column_int32(&columns[SIDE], at), trades ? "bs" : "ba", SIDE_NONE);
    if (!trades) {
        int64_t epoch = column_int64(&columns[EPOCH], at);
        row->kind = (uint8_t)code_of(batch->kinds, column_int32(&columns[KIND], at), "\x01sc", ROW_TRADE);
        if (row->kind == ROW_CHANGE) { /* `clear` begins with the same letter */
            PyObject *kind = PyList_GET_ITEM(batch->kinds, column_int32(&columns[KIND], at));
            row->kind = PyUnicode_CompareWithASCIIString(kind, "clear") == 0 ? ROW_CLEAR : ROW_CHANGE;
        }
        if (row->kind == ROW_TRADE || epoch < INT32_MIN || epoch > INT32_MAX)
            return refuse("a row of an unknown kind or epoch");
        row->epoch = (int32_t)epoch;
        row->seq = column_has(&columns[SEQ], at) ? column_int64(&columns[SEQ], at) : ABSENT;
    }
    return fill_numbers(batch, at, row);
}

static int make_room(Rows *self, Py_ssize_t more)
{
    if (self->count + more <= self->room)
        return 0;
    Py_ssize_t room = self->count + more + self->room / 4;
    Row *rows = PyMem_RawRealloc(self->rows, (size_t)room * sizeof(Row));
    if (rows == NULL || room > UINT32_MAX) {
        PyErr_NoMemory();
        return -1;
    }
    self->rows = rows;
    self->room = room;
    return 0;
}

static int add_rows(Rows *self, Batch *batch, Py_ssize_t count, int trades)
{
    Py_ssize_t ids = trades ? PyList_GET_SIZE(self->trade_ids) : 0;
    if (make_room(self, count) < 0)
        return -1;
    for (Py_ssize_t at = 0; at < count; at++) {
        int64_t ts = column_int64(&batch->columns[TS], at);
        if (ts < batch->lo || ts > batch->hi)
            continue;
        int32_t number = number_of(batch, at);
        if (number < -1)
            return -1;
        if (number == -1)
            continue;
        Row *row = &self->rows[self->count];
        row->ts = ts;
        row->instrument = number;
        if (fill_row(batch, at, trades, row) < 0)
            return -1;
        if (trades)
            row->seq += ids;
        self->count++;
    }
    return 0;
}

/* add(count, columns, dictionaries, resolve, lo, hi, trade_ids): see store/read/rows.py. */
static PyObject *rows_add(Rows *self, PyObject *args)
{
    PyObject *columns, *ids;
    Py_ssize_t count;
    long long lo, hi;
    Batch batch = {.market = -1, .instrument = -1};
    if (!PyArg_ParseTuple(args, "nO!(O!O!O!O!)OLLO", &count, &PyTuple_Type, &columns, &PyList_Type, &batch.markets,
                          &PyList_Type, &batch.instruments, &PyList_Type, &batch.sides, &PyList_Type, &batch.kinds,
                          &batch.resolve, &lo, &hi, &ids))
        return NULL;
    int trades = ids != Py_None;
    Py_ssize_t wanted = trades ? TRADE_COLUMNS : BOOK_COLUMNS, taken = 0;
    if (PyTuple_GET_SIZE(columns) != wanted || count < 0 || rows_ready(self)
        || (trades && (!PyList_Check(ids) || PyList_GET_SIZE(ids) != count))) {
        PyErr_SetString(PyExc_ValueError, "these are not the columns of rows that can still be added");
        return NULL;
    }
    batch.lo = lo;
    batch.hi = hi;
    int failed = trades && self->trade_ids == NULL && (self->trade_ids = PyList_New(0)) == NULL;
    for (; !failed && taken < wanted; taken++)
        failed = column_take(&batch.columns[taken], PyTuple_GET_ITEM(columns, taken), count, widths[taken]) < 0;
    failed = failed || add_rows(self, &batch, count, trades) < 0
        || (trades && PyList_SetSlice(self->trade_ids, PyList_GET_SIZE(self->trade_ids),
                                      PyList_GET_SIZE(self->trade_ids), ids) < 0);
    for (Py_ssize_t i = 0; i < taken; i++)
        column_release(&batch.columns[i]);
    return failed ? NULL : Py_NewRef(Py_None);
}

static PyObject *rows_horizon(Rows *self, PyObject *Py_UNUSED(ignored))
{
    const Row *row = rows_ready(self) ? rows_next(self) : NULL;
    return row == NULL ? Py_NewRef(Py_None) : PyLong_FromLongLong(row->ts);
}

static Py_ssize_t rows_length(Rows *self) { return self->count; }

static void rows_dealloc(Rows *self)
{
    if (self->mapped.obj == NULL)
        PyMem_RawFree(self->rows);
    PyBuffer_Release(&self->mapped);
    PyMem_RawFree(self->order);
    PyMem_RawFree(self->numbers);
    Py_CLEAR(self->trade_ids);
    free_instance(self);
}

static PyMethodDef rows_methods[] = {
    {"add", (PyCFunction)rows_add, METH_VARARGS, "Add the rows of a batch of columns."},
    {"sort", (PyCFunction)rows_sort, METH_NOARGS, "Put the rows in order of reception; none can be added any more."},
    {"time", (PyCFunction)rows_horizon, METH_NOARGS, "Return the time of the next row, None when all were taken."},
    {"pack", (PyCFunction)rows_pack, METH_VARARGS, "Return some of the rows in order, as ``map`` takes them."},
    {"sums", (PyCFunction)rows_sums, METH_NOARGS, "Return the sums over what was packed from the first row on."},
    {"map", (PyCFunction)rows_map, METH_VARARGS | METH_CLASS, "Return the rows that lie packed in a buffer."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot rows_slots[] = {
    {Py_tp_doc, "Rows of a data file; see store/read/rows.py."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, rows_dealloc},
    {Py_tp_methods, rows_methods},
    {Py_sq_length, rows_length},
    {0, NULL},
};

PyType_Spec rows_spec = {
    .name = "predsurv._speedups.NativeRows",
    .basicsize = sizeof(Rows),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = rows_slots,
};
