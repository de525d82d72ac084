/* The order of reception of rows that come instrument by instrument: a stable merge of the runs that are there. */

#include <string.h>

#include "rows.h"

#define STRETCH_ROWS 1024 /* of a stretch of time, at least half of that in the mean */

typedef struct { int64_t ts; uint32_t row; } Entry;

/* Whether `b` was received before `a`, which stands before it. */
static int precedes(const Row *rows, const Entry *b, const Entry *a)
{
    if (b->ts != a->ts)
        return b->ts < a->ts;
    const Row *one = &rows[b->row], *other = &rows[a->row];
    if (one->segment != other->segment)
        return one->segment < other->segment;
    return one->arrival < other->arrival;
}

static size_t run_end(const Row *rows, const Entry *entries, size_t at, size_t count)
{
    while (++at < count && !precedes(rows, &entries[at], &entries[at - 1]))
        ;
    return at;
}

static void merge(const Row *rows, const Entry *a, const Entry *a_end, const Entry *b_end, Entry *out)
{
    const Entry *b = a_end;
    while (a < a_end && b < b_end)
        *out++ = precedes(rows, b, a) ? *b++ : *a++;
    memcpy(out, a, (size_t)(a_end - a) * sizeof(Entry));
    out += a_end - a;
    memcpy(out, b, (size_t)(b_end - b) * sizeof(Entry));
}

/* Merge neighbouring runs, whose ends are in `ends`, until there is one; return where it is. */
static Entry *merge_runs(const Row *rows, Entry *from, Entry *to, size_t *ends, size_t runs)
{
    while (runs > 1) {
        size_t made = 0, start = 0;
        for (size_t i = 0; i < runs; i += 2) {
            size_t middle = ends[i], end = i + 1 < runs ? ends[i + 1] : middle;
            merge(rows, from + start, from + middle, from + end, to + start);
            ends[made++] = start = end;
        }
        Entry *merged = to;
        to = from;
        from = merged;
        runs = made;
    }
    return from;
}

/* Entries of one stretch of time, twice as many to merge into, and the ends of their runs. */
typedef struct { Entry *entries; size_t *ends, room; } Scratch;

static int make_scratch(Scratch *self, size_t count)
{
    if (count <= self->room)
        return 0;
    PyMem_RawFree(self->entries);
    PyMem_RawFree(self->ends);
    self->entries = PyMem_RawMalloc(2 * count * sizeof(Entry));
    self->ends = PyMem_RawMalloc(count * sizeof(size_t));
    self->room = count;
    return self->entries == NULL || self->ends == NULL ? -1 : 0;
}

/* Sort the rows of a stretch, which `order` names in the order in which they stand. */
static int sort_stretch(Scratch *scratch, const Row *rows, uint32_t *order, size_t count)
{
    if (make_scratch(scratch, count) < 0)
        return -1;
    size_t runs = 0;
    for (size_t i = 0; i < count; i++)
        scratch->entries[i] = (Entry){rows[order[i]].ts, order[i]};
    for (size_t at = 0; at < count;)
        scratch->ends[runs++] = at = run_end(rows, scratch->entries, at, count);
    const Entry *sorted = merge_runs(rows, scratch->entries, scratch->entries + count, scratch->ends, runs);
    for (size_t i = 0; i < count; i++)
        order[i] = sorted[i].row;
    return 0;
}

/* The time between the first and the last row, cut into stretches of 2 ** `shift` ns. */
typedef struct { int64_t first; int shift; size_t count; } Stretches;

static Stretches cut(const Rows *self)
{
    int64_t first = INT64_MAX, last = INT64_MIN;
    for (Py_ssize_t i = 0; i < self->count; i++) {
        first = self->rows[i].ts < first ? self->rows[i].ts : first;
        last = self->rows[i].ts > last ? self->rows[i].ts : last;
    }
    uint64_t span = self->count ? (uint64_t)last - (uint64_t)first : 0;
    Stretches made = {first, 0, 0};
    while (span >> made.shift > (uint64_t)self->count / STRETCH_ROWS + 1)
        made.shift++;
    made.count = (size_t)(span >> made.shift) + 1;
    return made;
}

static size_t stretch_of(const Stretches *self, const Row *row)
{
    return (size_t)(((uint64_t)row->ts - (uint64_t)self->first) >> self->shift);
}

/* Put the rows into `order` stretch by stretch; `ends`, zero before, becomes where each ends. */
static void distribute(const Rows *self, const Stretches *stretches, size_t *ends, uint32_t *order)
{
    size_t start = 0;
    for (Py_ssize_t i = 0; i < self->count; i++)
        ends[stretch_of(stretches, &self->rows[i])]++;
    for (size_t i = 0; i < stretches->count; i++) {
        size_t rows = ends[i];
        ends[i] = start;
        start += rows;
    }
    for (Py_ssize_t i = 0; i < self->count; i++)
        order[ends[stretch_of(stretches, &self->rows[i])]++] = (uint32_t)i;
}

/* Stretch by stretch, as what a merge takes is many times an order, and the rows of a file are many. */
static int sort(Rows *self)
{
    Stretches stretches = cut(self);
    Scratch scratch = {NULL, NULL, 0};
    uint32_t *order = PyMem_RawMalloc((size_t)self->count * sizeof(uint32_t) + 1);
    size_t *ends = PyMem_RawCalloc(stretches.count, sizeof(size_t)), start = 0;
    int failed = order == NULL || ends == NULL;
    if (!failed)
        distribute(self, &stretches, ends, order);
    for (size_t i = 0; !failed && i < stretches.count; start = ends[i++])
        failed = sort_stretch(&scratch, self->rows, order + start, ends[i] - start) < 0;
    if (!failed)
        self->order = order;
    else
        PyMem_RawFree(order);
    PyMem_RawFree(ends);
    PyMem_RawFree(scratch.entries);
    PyMem_RawFree(scratch.ends);
    return failed ? -1 : 0;
}

PyObject *rows_sort(Rows *self, PyObject *Py_UNUSED(ignored))
{
    if (rows_ready(self))
        Py_RETURN_NONE;
    if (sort(self) < 0)
        return PyErr_NoMemory();
    Row *rows = PyMem_RawRealloc(self->rows, (size_t)self->count * sizeof(Row) + 1);
    if (rows != NULL) {
        self->rows = rows;
        self->room = self->count;
    }
    Py_RETURN_NONE;
}
