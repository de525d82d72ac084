/* The order of reception of rows that come instrument by instrument: a stable merge of the runs that are there. */

#include <string.h>

#include "rows.h"

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

static int sort(Rows *self)
{
    size_t count = (size_t)self->count, runs = 0, room = 0;
    Entry *entries = PyMem_RawMalloc(2 * count * sizeof(Entry) + 1);
    uint32_t *order = PyMem_RawMalloc(count * sizeof(uint32_t) + 1);
    size_t *ends = NULL;
    int failed = entries == NULL || order == NULL;
    for (size_t i = 0; !failed && i < count; i++)
        entries[i] = (Entry){self->rows[i].ts, (uint32_t)i};
    for (size_t at = 0; !failed && at < count;) {
        if (runs == room) {
            size_t *grown = PyMem_RawRealloc(ends, (room = 2 * room + 64) * sizeof(size_t));
            failed = grown == NULL;
            ends = failed ? ends : grown;
            if (failed)
                break;
        }
        ends[runs++] = at = run_end(self->rows, entries, at, count);
    }
    if (!failed) {
        Entry *sorted = merge_runs(self->rows, entries, entries + count, ends, runs);
        for (size_t i = 0; i < count; i++)
            order[i] = sorted[i].row;
        self->order = order;
        order = NULL;
    }
    PyMem_RawFree(entries);
    PyMem_RawFree(order);
    PyMem_RawFree(ends);
    return failed ? -1 : 0;
}

PyObject *rows_sort(Rows *self, PyObject *Py_UNUSED(ignored))
{
    if (self->order == NULL && sort(self) < 0)
        return PyErr_NoMemory();
    Row *rows = PyMem_RawRealloc(self->rows, (size_t)self->count * sizeof(Row) + 1);
    if (rows != NULL) {
        self->rows = rows;
        self->room = self->count;
    }
    Py_RETURN_NONE;
}
