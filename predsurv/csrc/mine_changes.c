/* Changed levels: the twin of measures/updates.py. */

#include "mine.h"

#define STALE_SECONDS 60.0
#define LATE_NS NS_SECOND
#define STEPS_PER_OCTAVE 8
#define LEAST_OCTAVE (-20) /* of a microsecond */
#define MANTISSA_BITS 52
#define GUESS_BITS 6 /* of a mantissa tell its step, or the one before it */
#define BUCKETS (STEPS_PER_OCTAVE * (34 - LEAST_OCTAVE)) /* up to all nanoseconds that 64 bits hold */

enum { VISIT, UPDATES, STALE, AGED, AGE, LATE, CHANGED_AT, UPDATE_CELLS };

typedef struct { int64_t counts[BUCKETS]; int least, most; } Histogram;

typedef struct {
    int64_t begin;
    const int64_t *ts, *ts_venue;
    Visits visits;
    size_t visit;
    Histogram waits, ages;
    uint64_t thresholds[STEPS_PER_OCTAVE + 1];
    uint8_t least_step[1 << GUESS_BITS];
    Sheet updates, waits_out, ages_out;
} Changes;

/* Prepare the mantissas at which the steps of an octave begin. */
static void prepare_steps(Changes *self)
{
    const uint64_t one = (uint64_t)1 << MANTISSA_BITS;
    for (int step = 0; step <= STEPS_PER_OCTAVE; step++)
        self->thresholds[step] = (uint64_t)((exp2((double)step / STEPS_PER_OCTAVE) - 1.0) * (double)one);
    for (uint64_t guess = 0, step = 0; guess < 1 << GUESS_BITS; guess++) {
        while (self->thresholds[step + 1] <= guess << (MANTISSA_BITS - GUESS_BITS))
            step++;
        self->least_step[guess] = (uint8_t)step;
    }
}

/* Return floor(8 · log2(value)), of a microsecond at least, counted from the least bucket. */
static int bucket_of(const Changes *self, double value)
{
    const double shortest = 1e-6;
    uint64_t bits;
    value = value < shortest ? shortest : value;
    memcpy(&bits, &value, sizeof bits);
    int octave = (int)(bits >> MANTISSA_BITS) - 1023;
    uint64_t mantissa = bits & (((uint64_t)1 << MANTISSA_BITS) - 1);
    int step = self->least_step[mantissa >> (MANTISSA_BITS - GUESS_BITS)];
    step += mantissa >= self->thresholds[step + 1];
    return (octave - LEAST_OCTAVE) * STEPS_PER_OCTAVE + step;
}

static void count(Histogram *self, int bucket)
{
    if (self->counts[bucket]++ == 0) {
        self->least = bucket < self->least ? bucket : self->least;
        self->most = bucket > self->most ? bucket : self->most;
    }
}

static void forget(Histogram *self)
{
    self->least = BUCKETS;
    self->most = -1;
}

/* Move the counts of an instrument into rows of `out`. */
static int tell(Histogram *self, Sheet *out, int64_t code)
{
    for (int bucket = self->least; bucket <= self->most; bucket++) {
        if (self->counts[bucket] == 0)
            continue;
        Cell *row = sheet_row(out);
        if (row == NULL)
            return -1;
        row[0].i = code;
        row[1].i = bucket + LEAST_OCTAVE * STEPS_PER_OCTAVE;
        row[2].i = self->counts[bucket];
        self->counts[bucket] = 0;
    }
    forget(self);
    return 0;
}

static void add_age(Changes *self, Cell *sums, int64_t age)
{
    sums[AGED].i++;
    sums[AGE].i += age; /* nanoseconds: seconds when the hour is over */
    sums[LATE].i += age > LATE_NS;
    count(&self->ages, bucket_of(self, seconds(age)));
}

/* Add the change at `at` of row `row`, in the visit with `sums`; `before`: the change before it. */
static void add_change(Changes *self, Cell *sums, size_t visit, Py_ssize_t row, int64_t at, int64_t before)
{
    int again = before >= self->visits.since[visit];
    double quiet = seconds(at - (again ? before : self->visits.quiet_from[visit]));
    sums[UPDATES].i++;
    if (quiet > STALE_SECONDS)
        sums[STALE].f += quiet - STALE_SECONDS;
    if (self->ts_venue[row] != TOLD_NOTHING)
        add_age(self, sums, self->ts[row] - self->ts_venue[row]);
    sums[CHANGED_AT].i = at;
    if (at != before && (again || self->visits.changed[visit]))
        count(&self->waits, bucket_of(self, quiet));
}

/* Measure the rows of one instrument; 1 when they are not in order, -1 without memory. */
static int measure_instrument(Changes *self, int64_t code, Py_ssize_t row, Py_ssize_t end)
{
    int64_t before = INT64_MIN;
    Cell *sums = NULL;
    for (; row < end; row++) {
        int64_t at = code * STRIDE + (self->ts[row] - self->begin);
        if (at < before)
            return 1;
        size_t visit = visit_at(&self->visits, &self->visit, at);
        if (visit < self->visits.count) {
            if (sums == NULL || sums[VISIT].i != self->visits.visit[visit])
                sums = sheet_row(&self->updates);
            if (sums == NULL)
                return -1;
            sums[VISIT].i = self->visits.visit[visit];
            add_change(self, sums, visit, row, at, before);
        }
        before = at;
    }
    return tell(&self->waits, &self->waits_out, code) < 0 || tell(&self->ages, &self->ages_out, code) < 0 ? -1 : 0;
}

/* Measure all rows; 1 when they are not in order, -1 without memory. */
static int measure(Changes *self, const Columns *runs, Py_ssize_t rows)
{
    const int64_t *codes = integers_of(runs, 0), *lengths = integers_of(runs, 1);
    Py_ssize_t row = 0;
    for (Py_ssize_t run = 0; run < runs->rows; row += lengths[run++]) {
        if (run > 0 && codes[run] <= codes[run - 1])
            return 1;
        if (lengths[run] < 0 || lengths[run] > rows - row)
            return 1;
        int failed = measure_instrument(self, codes[run], row, row + lengths[run]);
        if (failed)
            return failed;
    }
    for (size_t i = 0; i < self->updates.rows; i++) {
        Cell *age = &self->updates.cells[i * UPDATE_CELLS + AGE];
        age->f = seconds(age->i);
    }
    return 0;
}

static PyObject *results(Changes *self)
{
    PyObject *updates = sheet_columns(&self->updates), *waits = sheet_columns(&self->waits_out);
    PyObject *ages = sheet_columns(&self->ages_out), *made = NULL;
    if (updates != NULL && waits != NULL && ages != NULL)
        made = PyTuple_Pack(3, updates, waits, ages);
    Py_XDECREF(updates);
    Py_XDECREF(waits);
    Py_XDECREF(ages);
    return made;
}

static PyObject *measured(const Columns *runs, const Columns *visits, const Columns *rows, int64_t begin)
{
    Changes *self = PyMem_Calloc(1, sizeof(Changes));
    if (self == NULL)
        return PyErr_NoMemory();
    self->begin = begin;
    self->ts = integers_of(rows, 0);
    self->ts_venue = integers_of(rows, 1);
    self->visits = visits_of(visits);
    self->updates.width = UPDATE_CELLS;
    self->waits_out.width = self->ages_out.width = 3;
    forget(&self->waits);
    forget(&self->ages);
    prepare_steps(self);
    int failed;
    Py_BEGIN_ALLOW_THREADS
    failed = measure(self, runs, rows->rows);
    Py_END_ALLOW_THREADS
    PyObject *made = failed < 0 ? PyErr_NoMemory() : failed ? Py_NewRef(Py_None) : results(self);
    sheet_clear(&self->updates);
    sheet_clear(&self->waits_out);
    sheet_clear(&self->ages_out);
    PyMem_Free(self);
    return made;
}

/* mine_changes(begin, runs, visits, rows): None when the rows are not sorted by instrument and time. */
PyObject *mine_changes(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *run_columns, *visit_columns, *row_columns, *made = NULL;
    long long begin;
    if (!PyArg_ParseTuple(args, "LOOO", &begin, &run_columns, &visit_columns, &row_columns))
        return NULL;
    Columns *taken = PyMem_Calloc(3, sizeof(Columns));
    if (taken == NULL)
        return PyErr_NoMemory();
    if (columns_take(&taken[0], run_columns, 2, sizeof(int64_t)) == 0
        && columns_take(&taken[1], visit_columns, VISIT_COLUMNS, sizeof(int64_t)) == 0
        && columns_take(&taken[2], row_columns, 2, sizeof(int64_t)) == 0)
        made = measured(&taken[0], &taken[1], &taken[2], begin);
    for (int i = 0; i < 3; i++)
        columns_release(&taken[i]);
    PyMem_Free(taken);
    return made;
}
