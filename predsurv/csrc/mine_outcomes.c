/* Sums of the best prices of sets of outcomes: the twin of `outcome_sums` in measures/outcome_sums.py. */

#include "mine_outcomes.h"

#define NEVER INT64_MAX

enum { TERM_SET, TERM_CODE, TERM_SINCE, TERM_UNTIL, TERM_FEE };

/* A time of trading of one outcome, and how far its books were looked at; `next`: when it changes next. */
typedef struct {
    int64_t next, since, until, fee;
    const Cell *top, *last;
    int holds;
    Leg leg;
} Cursor;

typedef struct {
    const Columns *given;
    Tops books;
    Sheet sums;
    Columns fees; /* of sellers and of buyers, by schedule and price */
    Cursor *cursors, **heap;
} Outcomes;

/* Set the cursor on the books of its instrument, none where it has none. */
static void seek(const Outcomes *self, Cursor *cursor, int64_t code)
{
    const Cell *runs = self->books.runs.cells;
    size_t low = 0, high = self->books.runs.rows;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (runs[middle * RUN_CELLS + RUN_CODE].i < code)
            low = middle + 1;
        else
            high = middle;
    }
    cursor->top = cursor->last = NULL;
    if (low == self->books.runs.rows || runs[low * RUN_CELLS + RUN_CODE].i != code)
        return;
    int64_t end = low + 1 < self->books.runs.rows ? runs[(low + 1) * RUN_CELLS + RUN_FIRST].i : (int64_t)self->books.tops.rows;
    if (end == runs[low * RUN_CELLS + RUN_FIRST].i)
        return;
    cursor->top = self->books.tops.cells + runs[low * RUN_CELLS + RUN_FIRST].i * TOP_CELLS;
    cursor->last = self->books.tops.cells + end * TOP_CELLS;
}

static int64_t begins(const Cursor *self)
{
    return self->top[TOP_AT].i > self->since ? self->top[TOP_AT].i : self->since;
}

static int64_t ends(const Cursor *self)
{
    return self->top[TOP_END].i < self->until ? self->top[TOP_END].i : self->until;
}

/* Pass over books outside of the time of trading, to the next one; it begins at `next`. */
static void find_next(Cursor *self)
{
    while (self->top != self->last && ends(self) <= begins(self))
        self->top += TOP_CELLS;
    self->next = self->top == self->last ? NEVER : begins(self);
}

/* Set the cursor on what the row `term` of the terms says. */
static void prepare_cursor(const Outcomes *self, Cursor *cursor, Py_ssize_t term)
{
    const Columns *terms = &self->given[TERMS];
    *cursor = (Cursor){.since = integers_of(terms, TERM_SINCE)[term] - self->books.begin,
                       .until = integers_of(terms, TERM_UNTIL)[term] - self->books.begin,
                       .fee = integers_of(terms, TERM_FEE)[term]};
    seek(self, cursor, integers_of(terms, TERM_CODE)[term]);
    find_next(cursor);
}

static int64_t fee_of(const Outcomes *self, int side, int64_t schedule, int64_t price)
{
    int64_t place = is_charged(price) ? self->books.places[price] : 0;
    return place ? integers_of(&self->fees, side)[schedule * (int64_t)self->books.prices.rows + place - 1] : 0;
}

static Leg leg_of(const Outcomes *self, const Cursor *cursor)
{
    int64_t bid = cursor->top[TOP_BID].i, ask = cursor->top[TOP_ASK].i;
    Leg leg = {1, ask != TOLD_NOTHING, 0, 0, 0, 0};
    if (bid != TOLD_NOTHING) {
        leg.bid = bid;
        leg.bid_fee = fee_of(self, 0, cursor->fee, bid);
    }
    if (ask != TOLD_NOTHING) {
        leg.ask = ask;
        leg.ask_fee = fee_of(self, 1, cursor->fee, ask);
    }
    return leg;
}

static void add(Leg *sums, const Leg *leg, int sign)
{
    sums->known += sign * leg->known;
    sums->asked += sign * leg->asked;
    sums->bid += sign * leg->bid;
    sums->ask += sign * leg->ask;
    sums->bid_fee += sign * leg->bid_fee;
    sums->ask_fee += sign * leg->ask_fee;
}

/* Do what happens at `next`: a book ends, or begins, or the next one begins as it ends. */
static void step(const Outcomes *self, Cursor *cursor, Leg *sums)
{
    int64_t now = cursor->next;
    if (cursor->holds) {
        add(sums, &cursor->leg, -1);
        cursor->holds = 0;
        cursor->top += TOP_CELLS;
        find_next(cursor);
    }
    if (cursor->next == now && cursor->top != cursor->last) {
        cursor->leg = leg_of(self, cursor);
        cursor->next = ends(cursor);
        cursor->holds = 1;
        add(sums, &cursor->leg, 1);
    }
}

/* Move the cursor at `place` down to where it belongs: the one that changes next is the first. */
static void sink(Cursor **heap, size_t count, size_t place)
{
    Cursor *moved = heap[place];
    for (size_t child; (child = 2 * place + 1) < count; place = child) {
        if (child + 1 < count && heap[child + 1]->next < heap[child]->next)
            child++;
        if (heap[child]->next >= moved->next)
            break;
        heap[place] = heap[child];
    }
    heap[place] = moved;
}

/* Add up the set `set` of so many `legs`, of which `count` cursors are; -1 without memory. */
static int sum_up(Outcomes *self, int64_t set, int64_t legs, int exhaustive, size_t count)
{
    Cursor **heap = self->heap;
    Stretches stretches = {0};
    Leg sums = {0, 0, 0, 0, 0, 0};
    Cell *told = NULL;
    for (size_t i = 0; i < count; i++)
        heap[i] = &self->cursors[i];
    for (size_t i = count / 2; i-- > 0;)
        sink(heap, count, i);
    while (count > 0 && heap[0]->next != NEVER) {
        int64_t at = heap[0]->next;
        do {
            step(self, heap[0], &sums);
            sink(heap, count, 0);
        } while (heap[0]->next == at);
        if (sums.known == 0 || sums.known != legs)
            continue;
        if (told == NULL && (told = sheet_row(&self->sums)) == NULL)
            return -1;
        told[SET].i = set;
        state_add(told, &stretches, &sums, at, heap[0]->next, exhaustive);
    }
    if (told != NULL)
        stretches_close(&stretches, told);
    return 0;
}

/* Add up all sets, which are sorted as their terms are; -1 without memory. */
static int sum_all(Outcomes *self)
{
    const Columns *terms = &self->given[TERMS], *sets = &self->given[SETS];
    const int64_t *numbers = integers_of(terms, TERM_SET), *wanted = integers_of(sets, 0);
    Py_ssize_t set = 0;
    for (Py_ssize_t term = 0, end; term < terms->rows; term = end) {
        size_t count = 0;
        for (end = term; end < terms->rows && numbers[end] == numbers[term]; end++)
            prepare_cursor(self, &self->cursors[count++], end);
        while (set < sets->rows && wanted[set] < numbers[term])
            set++;
        if (set < sets->rows && wanted[set] == numbers[term]
            && sum_up(self, wanted[set], integers_of(sets, 1)[set], integers_of(sets, 2)[set] != 0, count) < 0)
            return -1;
    }
    return 0;
}

/* Whether each term has a schedule, of which there are fees of all prices. */
static int fees_fit(const Outcomes *self)
{
    const Columns *terms = &self->given[TERMS];
    Py_ssize_t prices = (Py_ssize_t)self->books.prices.rows, schedules = prices ? self->fees.rows / prices : 0;
    if (prices && self->fees.rows % prices)
        return 0;
    for (Py_ssize_t term = 0; term < terms->rows; term++) {
        int64_t fee = integers_of(terms, TERM_FEE)[term];
        if (fee < 0 || (prices && fee >= schedules))
            return 0;
    }
    return 1;
}

/* Ask for the fees at all prices; -1 with an exception. */
static int ask_fees(Outcomes *self, PyObject *fees_at)
{
    PyObject *prices = PyBytes_FromStringAndSize((const char *)self->books.prices.cells,
                                                 (Py_ssize_t)(self->books.prices.rows * sizeof(Cell)));
    PyObject *told = prices == NULL ? NULL : PyObject_CallOneArg(fees_at, prices);
    Py_XDECREF(prices);
    int failed = told == NULL ? -1 : columns_take(&self->fees, told, 2, sizeof(Cell));
    Py_XDECREF(told); /* the columns keep what they show */
    if (failed == 0 && !fees_fit(self)) {
        PyErr_SetString(PyExc_ValueError, "the fees are not those of all schedules and prices");
        failed = -1;
    }
    return failed;
}

static int prepare(Outcomes *self)
{
    size_t terms = (size_t)self->given[TERMS].rows + 1;
    self->sums.width = SUM_CELLS;
    self->cursors = PyMem_RawMalloc(terms * sizeof *self->cursors);
    self->heap = PyMem_RawMalloc(terms * sizeof *self->heap);
    return self->cursors == NULL || self->heap == NULL ? -1 : 0;
}

static void release(Outcomes *self)
{
    tops_clear(&self->books);
    columns_release(&self->fees);
    sheet_clear(&self->sums);
    PyMem_RawFree(self->cursors);
    PyMem_RawFree(self->heap);
    PyMem_Free(self);
}

static PyObject *measured(const Columns *given, int64_t begin, PyObject *fees_at)
{
    Outcomes *self = PyMem_Calloc(1, sizeof(Outcomes));
    if (self == NULL)
        return PyErr_NoMemory();
    self->given = given;
    int failed = prepare(self);
    if (failed == 0) {
        Py_BEGIN_ALLOW_THREADS
        failed = tops_keep(&self->books, given, begin);
        Py_END_ALLOW_THREADS
    }
    if (failed == 0 && ask_fees(self, fees_at) < 0) {
        release(self);
        return NULL;
    }
    if (failed == 0) {
        Py_BEGIN_ALLOW_THREADS
        failed = sum_all(self);
        Py_END_ALLOW_THREADS
    }
    PyObject *made = failed < 0 ? PyErr_NoMemory() : failed ? Py_NewRef(Py_None) : sheet_columns(&self->sums);
    release(self);
    return made;
}

/* mine_outcomes(begin, runs, times, trusted, best, carry, trusted, visits, terms, sets, fees_at): the cells of each set
   that was observed; None when the rows or the carry are not sorted by instrument and time. `fees_at` is called with
   the prices that are charged. */
PyObject *mine_outcomes(PyObject *Py_UNUSED(module), PyObject *args)
{
    static const Py_ssize_t wanted[GIVEN] = {2, 1, 1, 2, 3, 1, VISIT_COLUMNS, 5, 3};
    PyObject *columns[GIVEN], *fees_at, *made = NULL;
    long long begin;
    if (!PyArg_ParseTuple(args, "LOOOOOOOOOO", &begin, &columns[0], &columns[1], &columns[2], &columns[3], &columns[4],
                          &columns[5], &columns[6], &columns[7], &columns[8], &fees_at))
        return NULL;
    Columns *taken = PyMem_Calloc(GIVEN, sizeof(Columns));
    if (taken == NULL)
        return PyErr_NoMemory();
    int failed = 0;
    for (int i = 0; !failed && i < GIVEN; i++)
        failed = columns_take(&taken[i], columns[i], wanted[i], i == TRUSTED_ROWS || i == TRUSTED_CARRY ? 1 : sizeof(Cell)) < 0;
    const Py_ssize_t rows = taken[TIMES].rows;
    if (!failed && (taken[TRUSTED_ROWS].rows != rows || taken[BEST].rows != rows || taken[TRUSTED_CARRY].rows != taken[CARRY].rows))
        PyErr_SetString(PyExc_ValueError, "the columns are not those of best prices");
    else if (!failed)
        made = measured(taken, begin, fees_at);
    for (int i = 0; i < GIVEN; i++)
        columns_release(&taken[i]);
    PyMem_Free(taken);
    return made;
}
