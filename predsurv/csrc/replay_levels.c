/* Whole books of rows, and the sums of best prices over the books of an event. */

#include "replay.h"

static int64_t best_of(const Book *book, const PyObject *side)
{
    return book_known(book) ? ladder_best_price((const Ladder *)side, INT64_MIN) : INT64_MIN;
}

/* Put a book's best prices in the place of those that its groups contain. */
void groups_follow(Replay *self, Instrument *instrument)
{
    const Book *book = instrument->book;
    int64_t bid = book == NULL ? INT64_MIN : best_of(book, book->bids);
    int64_t ask = book == NULL ? INT64_MIN : best_of(book, book->asks);
    if (bid == instrument->bid && ask == instrument->ask)
        return;
    int64_t bids = (bid == INT64_MIN ? 0 : bid) - (instrument->bid == INT64_MIN ? 0 : instrument->bid);
    int64_t asks = (ask == INT64_MIN ? 0 : ask) - (instrument->ask == INT64_MIN ? 0 : instrument->ask);
    int missing = (ask == INT64_MIN) - (instrument->ask == INT64_MIN);
    for (int i = 0; i < instrument->group_count; i++) {
        Group *group = &self->groups[instrument->groups[i]];
        group->bids += bids;
        group->asks += asks;
        group->missing += missing;
    }
    instrument->bid = bid;
    instrument->ask = ask;
}

/* Count the levels of the book whose first row is next, by side, and the rows of it. */
static Py_ssize_t count_levels(const Rows *rows, Py_ssize_t counts[2])
{
    Py_ssize_t at = rows->at + 1;
    for (; at < rows->count && rows->rows[rows->order[at]].kind == ROW_LEVEL; at++)
        counts[rows->rows[rows->order[at]].side == SIDE_ASK]++;
    return at - rows->at;
}

/* Read the whole book whose first row is next into the spare levels. Its number of rows; 0 when its levels do not come
   best first, which is for Python; -1 with an exception. */
int spare_take(Replay *self, const Rows *rows)
{
    Py_ssize_t counts[2] = {0, 0}, taken = count_levels(rows, counts), left[2];
    for (int side = 0; side < 2; side++) {
        left[side] = self->spare[side].count = counts[side];
        if (counts[side] <= self->spare[side].room)
            continue;
        Rung *rungs = PyMem_Realloc(self->spare[side].rungs, (size_t)(counts[side] + 8) * sizeof(Rung));
        if (rungs == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        self->spare[side].rungs = rungs;
        self->spare[side].room = counts[side] + 8;
    }
    for (Py_ssize_t i = 1; i < taken; i++) {
        const Row *row = &rows->rows[rows->order[rows->at + i]];
        int side = row->side == SIDE_ASK;
        Rung *rung = &self->spare[side].rungs[--left[side]];
        *rung = (Rung){side ? -(int64_t)row->price : row->price, row->size};
        if (row->size == 0 || (left[side] + 1 < counts[side] && rung->rank >= rung[1].rank))
            return 0;
    }
    return taken > INT32_MAX ? 0 : (int)taken;
}

void spare_exchange(Replay *self, Book *book)
{
    ladder_exchange((Ladder *)book->bids, &self->spare[0].rungs, &self->spare[0].count, &self->spare[0].room);
    ladder_exchange((Ladder *)book->asks, &self->spare[1].rungs, &self->spare[1].count, &self->spare[1].room);
}
