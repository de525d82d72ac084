/* Rows of recorded data files in the order in which they were received: what store/read/rows.py fills. */

#ifndef PREDSURV_ROWS_H
#define PREDSURV_ROWS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#define ABSENT INT64_MIN /* None */
#define MICROS 1000000

enum { ROW_CLEAR, ROW_LEVEL, ROW_CHANGE, ROW_TRADE };
enum { SIDE_BID, SIDE_ASK, SIDE_NONE }; /* of a trade: the taker bought, sold, nobody says */

typedef struct {
    int64_t ts, ts_venue, size;
    int64_t seq; /* of a trade: the number of its id */
    int32_t instrument, price, epoch, segment, arrival;
    uint8_t kind, side;
} Row;

typedef struct {
    PyObject_HEAD
    Row *rows;
    uint32_t *order;    /* of rows, by reception; NULL until sorted, and of mapped ones, which stand in it */
    int32_t *numbers;   /* of instruments, by what mapped rows call them; NULL of others, which have the numbers */
    Py_buffer mapped;   /* what mapped rows lie in */
    Py_ssize_t count, room, at;
    PyObject *trade_ids; /* list, NULL of book events */
    uint64_t sums[2];   /* of the rows that were packed */
} Rows;

/* Put the rows in order of reception. */
PyObject *rows_sort(Rows *self, PyObject *ignored);

/* rows_packed.c: rows in order, as they are kept in a file, and back. */
PyObject *rows_pack(Rows *self, PyObject *args);
PyObject *rows_sums(Rows *self, PyObject *ignored);
PyObject *rows_map(PyObject *type, PyObject *args);

/* Whether they are in order and can be taken. */
static inline int rows_ready(const Rows *self) { return self->order != NULL || self->numbers != NULL; }

/* One of the rows in order; `at` is below their number. */
static inline const Row *rows_at(const Rows *self, Py_ssize_t at)
{
    return &self->rows[self->order == NULL ? (uint32_t)at : self->order[at]];
}

/* The next row; NULL when all were taken. */
static inline const Row *rows_next(const Rows *self)
{
    return self->at < self->count ? rows_at(self, self->at) : NULL;
}

/* The number of a row's instrument. */
static inline int32_t row_instrument(const Rows *self, const Row *row)
{
    return self->numbers == NULL ? row->instrument : self->numbers[row->instrument];
}

#endif
