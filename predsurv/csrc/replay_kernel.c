/* The replay itself: rows of several files in the order of reception, folded until Python has to see one. */

#include "replay.h"

#include "parts.h"

#define PAUSE_ROWS 65536 /* folded at a time: somebody may want to stop */

static int cursor_load(Cursor *cursor)
{
    if (cursor->rows != NULL) {
        const Row *row = rows_next(cursor->rows);
        if (row != NULL) {
            cursor->ts = row->ts;
            cursor->segment = row->segment;
            cursor->arrival = row->arrival;
        }
        return row != NULL;
    }
    if (cursor->at >= PyList_GET_SIZE(cursor->events))
        return 0;
    long long ts, segment, arrival;
    PyObject *event, *entry = PyList_GET_ITEM(cursor->events, cursor->at);
    if (!PyTuple_Check(entry) || !PyArg_ParseTuple(entry, "LLLO", &ts, &segment, &arrival, &event))
        return -1;
    cursor->ts = ts;
    cursor->segment = segment;
    cursor->arrival = arrival;
    return 1;
}

static int before(const Cursor *one, const Cursor *other)
{
    if (one->ts != other->ts)
        return one->ts < other->ts;
    if (one->segment != other->segment)
        return one->segment < other->segment;
    return one->arrival < other->arrival;
}

/* Find the next cursor and drop those that are done. -1 with an exception. */
static int choose(Replay *self)
{
    int kept = 0;
    self->next = NULL;
    for (int i = 0; i < self->cursor_count; i++) {
        int loaded = cursor_load(&self->cursors[i]);
        if (loaded < 0)
            return -1;
        if (loaded) {
            if (kept < i)
                self->cursors[kept] = self->cursors[i];
            kept++;
        } else {
            Py_CLEAR(self->cursors[i].rows);
            Py_CLEAR(self->cursors[i].events);
        }
    }
    self->cursor_count = kept;
    for (int i = 0; i < kept; i++)
        if (self->next == NULL || before(&self->cursors[i], self->next))
            self->next = &self->cursors[i];
    self->until = INT64_MAX;
    for (int i = 0; i < kept; i++)
        if (&self->cursors[i] != self->next && self->cursors[i].ts < self->until)
            self->until = self->cursors[i].ts;
    return 0;
}

static void folded(Replay *self, Rows *rows, const Row *row, Py_ssize_t taken)
{
    self->last = row->ts;
    self->skipped++;
    rows->at += taken;
}

static void stamp_book(Book *book, const Row *row)
{
    book->numbers[STAMP_TS_RECV] = row->ts;
    book->numbers[STAMP_TS_VENUE] = row->ts_venue;
    book->numbers[STAMP_EPOCH] = row->epoch;
    book->numbers[STAMP_SEQ] = row->seq;
    book->plain = 1;
}

int find_book(Replay *self, Instrument *instrument)
{
    PyObject *found = PyDict_GetItemWithError(self->books, instrument->key);
    if (found == NULL)
        return PyErr_Occurred() ? -1 : 0;
    if (!PyObject_TypeCheck(found, self->module->book)
        || !PyObject_TypeCheck(((Book *)found)->bids, self->module->ladder)
        || !PyObject_TypeCheck(((Book *)found)->asks, self->module->ladder)) {
        PyErr_SetString(PyExc_TypeError, "a book of the cache is not compiled");
        return -1;
    }
    Py_XSETREF(instrument->book, (Book *)Py_NewRef(found));
    return 0;
}

/* The best prices that strategies see, or those that were published of a book that is crossed. */
static void prices_of(const Instrument *instrument, int64_t prices[2])
{
    prices[0] = prices[1] = INT64_MAX;
    for (int side = 0; instrument->book->trusted && side < 2; side++)
        prices[side] = book_known(instrument->book) ? best_shown(instrument, side)
                                                    : ladder_best_price(side_of_book(instrument, side), INT64_MIN);
}

static int fold_change(Replay *self, Rows *rows, const Row *row, Instrument *instrument)
{
    Book *book = instrument->book;
    int64_t prices[2] = {INT64_MAX, INT64_MAX};
    int observed = instrument->place_count && concerns_place(instrument, row->side, row->price);
    uint64_t wanted = 0;
    if (book != NULL && book->trusted) {
        int crossed = !book_known(book);
        prices_of(instrument, prices);
        if (ladder_put((Ladder *)(row->side == SIDE_ASK ? book->asks : book->bids), row->price, row->size) < 0)
            return -1;
        groups_follow(self, instrument);
        wanted = book_known(book) ? wants_book_event(self, instrument, row, prices) : 0;
        observed |= crossed && instrument->place_count && book_known(book);
        stamp_book(book, row);
    }
    folded(self, rows, row, 1);
    return wanted || observed ? show_event(self, delta_of(self, rows, row), row->ts, prices, wanted, observed) : 1;
}

static int fold_whole_book(Replay *self, Rows *rows, const Row *row, Instrument *instrument)
{
    Book *book = instrument->book;
    int64_t prices[2];
    if (book == NULL || instrument->gapped || instrument->heeded & HEED_WHOLE_BOOKS)
        return 0;
    int taken = spare_take(self, rows);
    if (taken <= 0)
        return taken;
    char trusted = book->trusted;
    prices_of(instrument, prices);
    spare_exchange(self, book);
    book->trusted = 1;
    groups_follow(self, instrument);
    if (book_known(book) && wants_book_event(self, instrument, row, prices)) {
        spare_exchange(self, book);
        book->trusted = trusted;
        return 0;
    }
    stamp_book(book, row);
    folded(self, rows, row, taken);
    return 1;
}

static int fold_trade(Replay *self, Rows *rows, const Row *row, Instrument *instrument)
{
    const Instrument *primary = &self->instruments[instrument->primary];
    int observed = primary->heeded & HEED_TRADES;
    uint64_t wanted = book_known(primary->book) ? wants_trade(self, instrument) : 0;
    int followed = state_follow(self, instrument, row);
    if (followed <= 0)
        return followed;
    if (!observed && trade_note(self, rows, row) < 0)
        return -1;
    folded(self, rows, row, 1);
    return wanted || observed ? show_event(self, trade_of(self, rows, row), row->ts, NULL, wanted, observed) : 1;
}

/* Fold the next row of a file: 1 folded, 0 for Python, SHOWN or SHOWN_LAST, -1 with an exception. */
static int fold_row(Replay *self, Rows *rows)
{
    const Row *row = rows_next(rows);
    Instrument *instrument = &self->instruments[row_instrument(rows, row)];
    if (rows->at + 8 < rows->count)
        __builtin_prefetch(rows_at(rows, rows->at + 8));
    if (row->kind == ROW_LEVEL) { /* of no book: nobody hears of it */
        rows->at++;
        return 1;
    }
    if (instrument->book == NULL && find_book(self, instrument) < 0)
        return -1;
    if (instrument->heeded & HEED_ALL)
        return 0;
    if (row->kind == ROW_TRADE)
        return fold_trade(self, rows, row, instrument);
    return row->kind == ROW_CHANGE ? fold_change(self, rows, row, instrument)
                                   : fold_whole_book(self, rows, row, instrument);
}

static int fold_rows(Replay *self, int64_t bound, int64_t look)
{
    Py_ssize_t pause = self->skipped + PAUSE_ROWS;
    for (;;) {
        if ((self->next == NULL || self->next->ts >= self->until) && choose(self) < 0)
            return -1;
        Cursor *next = self->next;
        if (next == NULL)
            return RUN_END;
        if (next->ts >= look) {
            if (worth_too_little(self))
                return RUN_LOSS;
            look = (next->ts / self->step + 1) * self->step;
        }
        if (next->ts >= bound)
            return RUN_BOUND;
        if (next->events != NULL)
            return RUN_EVENT;
        int done = fold_row(self, next->rows);
        if (done <= 0)
            return done < 0 ? -1 : RUN_ROW;
        if (rows_next(next->rows) == NULL)
            self->next = NULL;
        else
            cursor_load(next);
        if (done == SHOWN_LAST)
            return self->next == NULL && choose(self) < 0 ? -1 : RUN_SHOWN;
        if (self->skipped >= pause)
            return self->next == NULL && choose(self) < 0 ? -1 : self->next == NULL ? RUN_END : RUN_PAUSE;
    }
}

/* run(bound, look, show): fold rows before `bound`, and look at what is held at multiples of its step from `look` on.
   `show(event, before, wanted, observed, answer)` is called with what somebody has to see, `wanted` by which
   strategies, a bit for each; it says whether to go on. `answer`: (number, what it returned, what it raised) of the
   first of these where that was called already, else None. */
PyObject *replay_run(Replay *self, PyObject *args)
{
    long long bound, look;
    if (!PyArg_ParseTuple(args, "LLO", &bound, &look, &self->show))
        return NULL;
    if (self->touched >= 0) {
        Instrument *instrument = &self->instruments[self->touched];
        if (instrument->book == NULL && find_book(self, instrument) < 0)
            return NULL;
        groups_follow(self, instrument);
        self->touched = -1;
    }
    int ended = fold_rows(self, bound, look);
    return ended < 0 ? NULL : PyLong_FromLong(ended);
}

PyObject *replay_take(Replay *self, PyObject *Py_UNUSED(ignored))
{
    if (self->next == NULL && choose(self) < 0)
        return NULL;
    Cursor *next = self->next;
    if (next == NULL) {
        PyErr_SetString(PyExc_IndexError, "nothing is left");
        return NULL;
    }
    if (next->rows != NULL) {
        const Row *row = rows_next(next->rows);
        self->touched = row_instrument(next->rows, row);
        if (row->kind == ROW_CLEAR)
            self->instruments[self->touched].gapped = 0;
    }
    PyObject *event = event_taken(self, next);
    self->next = NULL;
    return event;
}
