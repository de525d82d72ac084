/* Whole books of rows, and the sums of best prices over the books of an event. */

#include "replay.h"

/* What strategies see of a level of an instrument's book. */
int64_t left_at(const Instrument *instrument, int side, Rung rung)
{
    int64_t price = side == SIDE_ASK ? -rung.rank : rung.rank;
    for (Py_ssize_t i = 0; i < instrument->taken_count; i++) {
        const Taken *taken = &instrument->taken[i];
        if (taken->price == price && taken->side == side)
            return rung.size - taken->size;
    }
    return rung.size;
}

/* The best price that strategies see of an instrument that has a book, INT64_MIN for none. */
int64_t best_seen(const Instrument *instrument, int side)
{
    const Ladder *ladder = side_of_book(instrument, side);
    if (!instrument->taken_count)
        return ladder_best_price(ladder, INT64_MIN);
    for (Py_ssize_t i = ladder->count; i-- > 0;)
        if (left_at(instrument, side, ladder->rungs[i]) > 0)
            return ladder->sign * ladder->rungs[i].rank;
    return INT64_MIN;
}

/* Put a book's best prices in the place of those that its groups contain. */
void groups_follow(Replay *self, Instrument *instrument)
{
    int known = book_known(instrument->book);
    int64_t bid = known ? best_shown(instrument, SIDE_BID) : INT64_MIN;
    int64_t ask = known ? best_shown(instrument, SIDE_ASK) : INT64_MIN;
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
    for (; at < rows->count && rows_at(rows, at)->kind == ROW_LEVEL; at++)
        counts[rows_at(rows, at)->side == SIDE_ASK]++;
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
        const Row *row = rows_at(rows, rows->at + i);
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
