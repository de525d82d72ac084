/* What the miner measures of an hour of rows, instrument by instrument: twins of predsurv/mine/measures. */

#ifndef PREDSURV_MINE_H
#define PREDSURV_MINE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <math.h>
#include <stdint.h>
#include <string.h>

#define STRIDE ((int64_t)1 << 42) /* distance of the instants of two instruments: see measures/moments.py */
#define NS_SECOND INT64_C(1000000000)
#define NS_HOUR (3600 * NS_SECOND)
#define TOLD_NOTHING INT64_MIN /* a time that is null */

typedef union { int64_t i; double f; } Cell;

/* A table that grows, row by row. */
typedef struct { Cell *cells; size_t rows, room, width; } Sheet;

/* Return a new row of zeros, NULL without memory. */
Cell *sheet_row(Sheet *self);
/* Return the last row where its first cell is `key`, else a new one that begins with it; NULL without memory. */
Cell *sheet_row_of(Sheet *self, int64_t key);
/* Return the columns as bytes, and empty the sheet. */
PyObject *sheet_columns(Sheet *self);
void sheet_clear(Sheet *self);

/* Columns that Python gave. */
#define COLUMNS_MAX 256
typedef struct { Py_buffer views[COLUMNS_MAX]; Py_ssize_t count, rows; } Columns;

/* Take `wanted` columns of cells of `width` bytes, all as long; -1 with an exception. */
int columns_take(Columns *self, PyObject *columns, Py_ssize_t wanted, Py_ssize_t width);
void columns_release(Columns *self);

static inline const int64_t *integers_of(const Columns *self, int column)
{
    return self->views[column].buf;
}

static inline const double *numbers_of(const Columns *self, int column)
{
    return self->views[column].buf;
}

/* Stretches of covered time (`moments.visits_within`), sorted; `owner` is the code of their instrument. */
typedef struct { const int64_t *visit, *owner, *since, *until, *quiet_from, *changed; size_t count; } Visits;

#define VISIT_COLUMNS 6
Visits visits_of(const Columns *columns);

/* Return the visit at `instant`, from the one at `*at` on, which moves up to it; the count of visits where none is. */
static inline size_t visit_at(const Visits *self, size_t *at, int64_t instant)
{
    while (*at + 1 < self->count && self->since[*at + 1] <= instant)
        ++*at;
    int inside = *at < self->count && self->since[*at] <= instant && instant < self->until[*at];
    return inside ? *at : self->count;
}

/* The cells of a book row: the columns of `books.shapes`, in another order. A number that is null is NaN. */
enum { AT, CODE, TRUSTED, CROSSED, CUT_5, CUT_10, SPREAD, MID, IMBALANCE, BID_SZ, ASK_SZ, DEPTH, COST = DEPTH + 8, BID = COST + 3, ASK,
       MICRO, SHAPE_CELLS };
#define REACHES 4
#define REACH_5C 2 /* which of the depths reaches 5 cents */
#define AMOUNTS 3

/* A book row that held until `end`, in a visit; `row`: of the columns. */
typedef struct { Cell cells[SHAPE_CELLS]; int64_t end; size_t visit; Py_ssize_t row; } Held;

/* Compute the cells of `count` books, in rows that follow one another, from level columns of `levels` a side. */
void shapes_of(Held *held, size_t count, const Columns *columns, Py_ssize_t levels);

/* A quote: a held row in which the mid was known, and the run of them that it is in. */
typedef struct {
    int64_t at, end, run, ended, visit;
    double bid, ask, bid_sz, ask_sz, mid, bid_depth, ask_depth, flow_to;
} Quote;

/* Trades sorted by instrument and time; `sign` is 0 where the taker's side was not told. `next`: not yet looked at. */
typedef struct { const int64_t *code, *at, *sign; const double *price, *size; size_t count, next; } Trades;

typedef struct { Quote *quotes; size_t room; int64_t runs; Sheet paths, variance, foresight, imagined, impacts, filled; } Paths;

/* Measure the quotes of one instrument in its `count` held rows, and the trades that met them; -1 without memory. */
int paths_measure(Paths *self, const Visits *visits, Trades *trades, const Held *held, size_t count);

/* Measure the trades of one instrument against its `count` quotes; -1 without memory. */
int trades_measure(Paths *self, Trades *trades, int64_t code, size_t count);

static inline double seconds(int64_t nanoseconds)
{
    return (double)nanoseconds / 1e9;
}

PyObject *mine_changes(PyObject *module, PyObject *args);
PyObject *mine_books(PyObject *module, PyObject *args);
PyObject *mine_runs(PyObject *module, PyObject *views);
PyObject *mine_outcomes(PyObject *module, PyObject *args);

#endif
