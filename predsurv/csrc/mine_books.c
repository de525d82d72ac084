/* Book rows that held for a while: the twin of measures/books.py. One instrument at a time is in memory as rows. */

#include "mine.h"
#include "mine_sums.h"

typedef struct { int64_t at; Py_ssize_t row; } Moment; /* a row of the carry is negative: -1 - row */

typedef struct {
    int64_t begin;
    const int64_t *ts;
    const uint8_t *trusted;
    const Columns *levels, *carry;
    Py_ssize_t level_count, carried;
    Visits visits;
    size_t visit, moments_room;
    Moment *moments;
    Held *held;
    BookSums sums;
    Paths paths;
    Trades trades;
    Sheet carry_out;
} Books;

static int make_room(Books *self, size_t count)
{
    if (count <= self->moments_room)
        return 0;
    Moment *moments = PyMem_RawRealloc(self->moments, 2 * count * sizeof(Moment));
    if (moments == NULL)
        return -1;
    self->moments = moments;
    Held *held = PyMem_RawRealloc(self->held, 2 * count * sizeof(Held));
    if (held == NULL)
        return -1;
    self->held = held;
    self->moments_room = 2 * count;
    return 0;
}

/* Collect the moments of an instrument in order, of several at one moment the last; their count, or -1 when they are in
   none, -2 without memory. */
static Py_ssize_t collect(Books *self, int64_t code, Py_ssize_t row, Py_ssize_t end)
{
    const int64_t *codes = integers_of(self->carry, CODE), *times = integers_of(self->carry, AT);
    Py_ssize_t count = 0;
    if (make_room(self, (size_t)(end - row + 8)) < 0)
        return -2;
    for (; self->carried < self->carry->rows && codes[self->carried] == code; self->carried++) {
        if (count == 8)
            return -1; /* one book holds when an hour begins */
        self->moments[count++] = (Moment){times[self->carried], -1 - self->carried};
    }
    for (; row < end; row++)
        self->moments[count++] = (Moment){code * STRIDE + (self->ts[row] - self->begin), row};
    Py_ssize_t kept = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        if (i > 0 && self->moments[i].at < self->moments[i - 1].at)
            return -1;
        if (i + 1 == count || self->moments[i + 1].at != self->moments[i].at)
            self->moments[kept++] = self->moments[i];
    }
    return kept;
}

/* Read what stands in a row about its time; the rest of a row of the carry too. */
static void read_book(Books *self, Held *held, int64_t code, const Moment *moment)
{
    held->row = moment->row;
    if (moment->row < 0) {
        for (int cell = 0; cell < SHAPE_CELLS; cell++)
            held->cells[cell].i = integers_of(self->carry, cell)[-1 - moment->row];
        return;
    }
    held->cells[AT].i = moment->at;
    held->cells[CODE].i = code;
    held->cells[TRUSTED].i = self->trusted[moment->row];
}

/* Read the levels of the first `count` held rows. */
static void read_levels(Books *self, size_t count)
{
    for (size_t first = 0, next; first < count; first = next) {
        Py_ssize_t row = self->held[first].row;
        for (next = first + 1; next < count && self->held[next].row == row + (Py_ssize_t)(next - first);)
            next++;
        if (row < 0)
            next = first + 1;
        else
            shapes_of(&self->held[first], next - first, self->levels, self->level_count);
    }
}

/* Find the rows that held in covered time. */
static size_t hold(Books *self, int64_t code, size_t count)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        size_t visit = visit_at(&self->visits, &self->visit, self->moments[i].at);
        if (visit == self->visits.count)
            continue;
        int64_t until = self->visits.until[visit];
        Held *held = &self->held[found++];
        read_book(self, held, code, &self->moments[i]);
        held->visit = visit;
        held->end = i + 1 < count && self->moments[i + 1].at < until ? self->moments[i + 1].at : until;
    }
    read_levels(self, found);
    return found;
}

/* Keep the book that holds at the end of the hour, as a row of the next one. */
static int carry_on(Books *self, int64_t code, const Held *last)
{
    if (last->end != code * STRIDE + NS_HOUR)
        return 0;
    Cell *row = sheet_row(&self->carry_out);
    if (row == NULL)
        return -1;
    memcpy(row, last->cells, sizeof last->cells);
    row[AT].i = code * STRIDE;
    return 0;
}

/* Measure one instrument; 1 when its rows are not in order, -1 without memory. */
static int measure_instrument(Books *self, int64_t code, Py_ssize_t row, Py_ssize_t end)
{
    Py_ssize_t count = collect(self, code, row, end);
    if (count < 0)
        return count == -1 ? 1 : -1;
    size_t held = hold(self, code, (size_t)count);
    if (held == 0)
        return 0;
    return sums_measure(&self->sums, &self->visits, self->held, held) < 0
        || paths_measure(&self->paths, &self->visits, &self->trades, self->held, held) < 0
        || carry_on(self, code, &self->held[held - 1]) < 0 ? -1 : 0;
}

/* Measure the instruments of rows and of the carry; 1 when these are not in order, -1 without memory. */
static int measure(Books *self, const Columns *runs, Py_ssize_t rows)
{
    const int64_t *codes = integers_of(runs, 0), *lengths = integers_of(runs, 1);
    const int64_t *carried = integers_of(self->carry, CODE);
    int64_t before = -1;
    for (Py_ssize_t run = 0, row = 0; run < runs->rows || self->carried < self->carry->rows;) {
        int64_t fresh = run < runs->rows ? codes[run] : INT64_MAX, length = 0;
        int64_t old = self->carried < self->carry->rows ? carried[self->carried] : INT64_MAX;
        int64_t code = old < fresh ? old : fresh;
        if (fresh == code)
            length = lengths[run++];
        if (code <= before || length < 0 || length > rows - row)
            return 1;
        int failed = measure_instrument(self, code, row, row + length);
        if (failed)
            return failed;
        row += length;
        before = code;
    }
    return 0;
}

#define TABLES 11

static PyObject *results(Books *self)
{
    Sheet *sheets[TABLES] = {
        &self->sums.books, &self->sums.spreads, &self->sums.visits, &self->sums.prices, &self->paths.paths,
        &self->paths.variance, &self->paths.foresight, &self->paths.imagined, &self->paths.impacts,
        &self->paths.filled, &self->carry_out,
    };
    PyObject *made = PyTuple_New(TABLES);
    for (int i = 0; made != NULL && i < TABLES; i++) {
        PyObject *columns = sheet_columns(sheets[i]);
        if (columns == NULL)
            Py_CLEAR(made);
        else
            PyTuple_SET_ITEM(made, i, columns);
    }
    return made;
}

static void release(Books *self)
{
    sums_clear(&self->sums);
    Sheet *sheets[7] = {&self->paths.paths, &self->paths.variance, &self->paths.foresight, &self->paths.imagined,
                        &self->paths.impacts, &self->paths.filled, &self->carry_out};
    for (int i = 0; i < 7; i++)
        sheet_clear(sheets[i]);
    PyMem_RawFree(self->paths.quotes);
    PyMem_RawFree(self->moments);
    PyMem_RawFree(self->held);
    PyMem_Free(self);
}

static void prepare(Books *self)
{
    sums_prepare(&self->sums);
    self->paths.paths.width = 4;
    self->paths.variance.width = 3;
    self->paths.foresight.width = 10;
    self->paths.imagined.width = 2;
    self->paths.impacts.width = 11;
    self->paths.filled.width = 2;
    self->carry_out.width = SHAPE_CELLS;
}

static Trades trades_of(const Columns *columns)
{
    return (Trades){integers_of(columns, 0), integers_of(columns, 1), integers_of(columns, 2), numbers_of(columns, 3),
                    numbers_of(columns, 4), (size_t)columns->rows, 0};
}

#define GIVEN 7 /* runs, visits, times, trusted, levels, carry, trades */

static PyObject *measured(const Columns *taken, int64_t begin)
{
    Books *self = PyMem_Calloc(1, sizeof(Books));
    if (self == NULL)
        return PyErr_NoMemory();
    prepare(self);
    self->begin = begin;
    self->visits = visits_of(&taken[1]);
    self->ts = integers_of(&taken[2], 0);
    self->trusted = taken[3].views[0].buf;
    self->levels = &taken[4];
    self->level_count = taken[4].count / 4;
    self->carry = &taken[5];
    self->trades = trades_of(&taken[6]);
    int failed;
    Py_BEGIN_ALLOW_THREADS
    failed = measure(self, &taken[0], taken[2].rows);
    Py_END_ALLOW_THREADS
    PyObject *made = failed < 0 ? PyErr_NoMemory() : failed ? Py_NewRef(Py_None) : results(self);
    release(self);
    return made;
}

/* mine_books(begin, runs, visits, times, trusted, levels, carry, trades): None when rows are not sorted. */
PyObject *mine_books(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *given[GIVEN], *made = NULL;
    long long begin;
    if (!PyArg_ParseTuple(args, "LOOOOO!OO", &begin, &given[0], &given[1], &given[2], &given[3], &PyTuple_Type, &given[4],
                          &given[5], &given[6]))
        return NULL;
    const Py_ssize_t level_columns = PyTuple_GET_SIZE(given[4]);
    const Py_ssize_t wanted[GIVEN] = {2, VISIT_COLUMNS, 1, 1, level_columns, SHAPE_CELLS, 5}, wide = sizeof(Cell);
    Columns *taken = PyMem_Calloc(GIVEN, sizeof(Columns));
    if (taken == NULL)
        return PyErr_NoMemory();
    int failed = 0;
    for (int i = 0; !failed && i < GIVEN; i++)
        failed = columns_take(&taken[i], given[i], wanted[i], i == 3 ? 1 : wide) < 0;
    if (!failed && (level_columns < 4 || level_columns % 4 || taken[3].rows != taken[2].rows || taken[4].rows != taken[2].rows))
        PyErr_SetString(PyExc_ValueError, "the columns are not those of book rows");
    else if (!failed)
        made = measured(taken, begin);
    for (int i = 0; i < GIVEN; i++)
        columns_release(&taken[i]);
    PyMem_Free(taken);
    return made;
}
