/* Rows in order of reception as they are kept in a file, instruments by their place in a list of the file's own. */

#include <stddef.h>
#include <string.h>

#include "rows.h"

#include "parts.h"

#define ROW_WORDS (sizeof(Row) / sizeof(uint64_t))
#define ROW_FILLED (offsetof(Row, side) + 1) /* what is left of a row means nothing, and is zero */

_Static_assert(sizeof(Row) == 56, "rows in files have 56 bytes");

/* Fletcher's checksum over words of 64 bits: any one word that is another changes both sums. */
static void sum_row(uint64_t sums[2], const Row *row)
{
    uint64_t words[ROW_WORDS];
    memcpy(words, row, sizeof words);
    for (size_t i = 0; i < ROW_WORDS; i++) {
        sums[0] += words[i];
        sums[1] += sums[0];
    }
}

static PyObject *refuse(const char *what)
{
    PyErr_SetString(PyExc_ValueError, what);
    return NULL;
}

static int pack_rows(Rows *self, Py_ssize_t first, Py_ssize_t count, const Py_buffer *places, Row *out)
{
    for (Py_ssize_t i = 0; i < count; i++) {
        const Row *row = rows_at(self, first + i);
        Py_ssize_t number = row_instrument(self, row);
        if (number < 0 || number >= places->len / (Py_ssize_t)sizeof(int32_t))
            return -1;
        int32_t place = ((const int32_t *)places->buf)[number];
        if (place < 0)
            return -1;
        memset(&out[i], 0, sizeof *out);
        memcpy(&out[i], row, ROW_FILLED);
        out[i].instrument = place;
        sum_row(self->sums, &out[i]);
    }
    return 0;
}

/* pack(first, count, places): bytes of rows in order; `places`: of instruments in the file's list, int32 by number.
   Sums are taken from the first row on, so that all have to be packed in order. */
PyObject *rows_pack(Rows *self, PyObject *args)
{
    Py_ssize_t first, count;
    Py_buffer places;
    if (!PyArg_ParseTuple(args, "nny*", &first, &count, &places))
        return NULL;
    PyObject *made = NULL;
    if (!rows_ready(self) || first < 0 || count < 0 || count > self->count - first) {
        refuse("these rows are not there, or not in order");
    } else {
        if (first == 0)
            self->sums[0] = self->sums[1] = 0;
        made = PyBytes_FromStringAndSize(NULL, count * (Py_ssize_t)sizeof(Row));
        if (made != NULL && pack_rows(self, first, count, &places, (Row *)PyBytes_AS_STRING(made)) < 0) {
            Py_CLEAR(made);
            refuse("an instrument has no place in the list");
        }
    }
    PyBuffer_Release(&places);
    return made;
}

PyObject *rows_sums(Rows *self, PyObject *Py_UNUSED(ignored))
{
    return Py_BuildValue("KK", (unsigned long long)self->sums[0], (unsigned long long)self->sums[1]);
}

/* Look at every row: what is wrong with them, NULL when they are what was packed. */
static const char *check_rows(const Rows *self, Py_ssize_t instruments, const uint64_t expected[2])
{
    uint64_t sums[2] = {0, 0};
    Py_ssize_t ids = self->trade_ids == NULL ? 0 : PyList_GET_SIZE(self->trade_ids);
    int fits = 1;
    for (Py_ssize_t i = 0; i < self->count; i++) {
        const Row *row = &self->rows[i];
        sum_row(sums, row);
        fits &= (uint32_t)row->instrument < (uint64_t)instruments && row->kind <= ROW_TRADE && row->side <= SIDE_NONE
            && (row->kind != ROW_TRADE || (uint64_t)row->seq < (uint64_t)ids);
    }
    if (sums[0] != expected[0] || sums[1] != expected[1])
        return "the rows are not what was packed";
    return fits ? NULL : "a row has an instrument, a kind or an id that is not there";
}

static int take_numbers(Rows *self, PyObject *numbers)
{
    Py_ssize_t count = PyList_GET_SIZE(numbers);
    self->numbers = PyMem_RawMalloc((size_t)count * sizeof(int32_t) + 1);
    if (self->numbers == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        long number = PyLong_AsLong(PyList_GET_ITEM(numbers, i));
        if (number < 0 || number > INT32_MAX) {
            if (!PyErr_Occurred())
                refuse("no instrument has this number");
            return -1;
        }
        self->numbers[i] = (int32_t)number;
    }
    return 0;
}

/* map(buffer, offset, count, sums, numbers, trade_ids): the rows that lie in `buffer`, which is kept as long as they are
   there; `numbers`: of the instruments in the file's list. ValueError when they are not what was packed. */
PyObject *rows_map(PyObject *type, PyObject *args)
{
    PyObject *buffer, *numbers, *ids;
    Py_ssize_t offset, count;
    unsigned long long sums[2];
    if (!PyArg_ParseTuple(args, "Onn(KK)O!O", &buffer, &offset, &count, &sums[0], &sums[1], &PyList_Type, &numbers, &ids))
        return NULL;
    Rows *self = (Rows *)((PyTypeObject *)type)->tp_alloc((PyTypeObject *)type, 0);
    if (self == NULL || PyObject_GetBuffer(buffer, &self->mapped, PyBUF_SIMPLE) < 0)
        goto failed;
    if (offset < 0 || offset % (Py_ssize_t)_Alignof(Row) != 0 || count < 0 || count > UINT32_MAX
        || (uintptr_t)self->mapped.buf % _Alignof(Row) != 0 || offset > self->mapped.len
        || count > (self->mapped.len - offset) / (Py_ssize_t)sizeof(Row) || (ids != Py_None && !PyList_Check(ids))) {
        refuse("there are not as many rows");
        goto failed;
    }
    self->rows = (Row *)((char *)self->mapped.buf + offset);
    self->count = self->room = count;
    self->trade_ids = ids == Py_None ? NULL : Py_NewRef(ids);
    const char *wrong = check_rows(self, PyList_GET_SIZE(numbers), (const uint64_t[2]){sums[0], sums[1]});
    if (wrong != NULL) {
        refuse(wrong);
        goto failed;
    }
    if (take_numbers(self, numbers) < 0)
        goto failed;
    return (PyObject *)self;
failed:
    Py_XDECREF(self);
    return NULL;
}
