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
    uint32_t *order;    /* of rows, by reception; NULL until sorted */
    Py_ssize_t count, room, at;
    PyObject *trade_ids; /* list, NULL of book events */
} Rows;

/* Put the rows in order of reception. */
PyObject *rows_sort(Rows *self, PyObject *ignored);

/* The next row; NULL when all were taken. */
static inline const Row *rows_next(const Rows *self)
{
    return self->at < self->count ? &self->rows[self->order[self->at]] : NULL;
}

#endif
