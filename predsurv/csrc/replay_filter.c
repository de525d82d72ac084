/* Whether Python has to see a row: engine/call_filter.py, except that an interval holds nothing back here. */

#include "replay.h"

int bounds_read(Bounds *self, PyObject *given)
{
    long long bounds[8];
    if (!PyTuple_Check(given)
        || !PyArg_ParseTuple(given, "LLLLLLLLn", &bounds[0], &bounds[1], &bounds[2], &bounds[3], &bounds[4], &bounds[5],
                             &bounds[6], &bounds[7], &self->levels))
        return -1;
    int64_t *const places[] = {&self->spread_min, &self->spread_max, &self->bid_min, &self->bid_max, &self->ask_min,
                               &self->ask_max, &self->imbalance_min, &self->imbalance_max};
    for (int i = 0; i < 8; i++)
        *places[i] = bounds[i];
    self->weighed = bounds[6] != INT64_MIN || bounds[7] != INT64_MAX;
    return 0;
}

int filter_read(Filter *self, PyObject *given)
{
    long long sums[2];
    int flags[10];
    PyObject *where;
    if (!PyArg_ParseTuple(given, "iiiiiiiiiiO!(LL)", &flags[0], &flags[1], &flags[2], &flags[3], &flags[4], &flags[5],
                          &flags[6], &flags[7], &flags[8], &flags[9], &PyTuple_Type, &where, &sums[0], &sums[1])
        || bounds_read(&self->where, where) < 0)
        return -1;
    self->everything = flags[0];
    self->books = flags[1];
    self->best_sizes = flags[2];
    self->trades = flags[3];
    self->coverage = flags[4];
    self->filter_engaged = flags[5];
    self->bounded = flags[6];
    self->bounded_event = flags[7];
    self->exclusive = flags[8];
    self->engaged = flags[9];
    self->ask_sum_max = sums[0];
    self->bid_sum_min = sums[1];
    return 0;
}

static __int128 total_of(const Instrument *instrument, int side, Py_ssize_t levels)
{
    const Ladder *ladder = side_of_book(instrument, side);
    __int128 total = 0;
    if (!instrument->taken_count) {
        for (Py_ssize_t i = 0; i < levels && i < ladder->count; i++)
            total += ladder->rungs[ladder->count - 1 - i].size;
        return total;
    }
    levels = levels < SEEN_LEVELS ? levels : SEEN_LEVELS;
    for (Py_ssize_t i = ladder->count; i-- > 0 && levels > 0;) {
        int64_t left = left_at(instrument, side, ladder->rungs[i]);
        total += left > 0 ? left : 0;
        levels -= left > 0;
    }
    return total;
}

static int balanced(const Bounds *bounds, const Instrument *instrument)
{
    __int128 bid = total_of(instrument, SIDE_BID, bounds->levels), ask = total_of(instrument, SIDE_ASK, bounds->levels);
    if (bid + ask <= 0)
        return 0;
    __int128 scaled = (bid - ask) * MICROS, imbalance = scaled / (bid + ask);
    imbalance -= scaled % (bid + ask) != 0 && scaled < 0; /* rounded down */
    return imbalance >= bounds->imbalance_min && imbalance <= bounds->imbalance_max;
}

static int unbounded(int64_t low, int64_t high) { return low == INT64_MIN && high == INT64_MAX; }

static int within(const Bounds *bounds, const Instrument *instrument)
{
    int64_t bid = best_shown(instrument, SIDE_BID), ask = best_shown(instrument, SIDE_ASK);
    if (bid == INT64_MIN || ask == INT64_MIN) {
        if (!unbounded(bounds->spread_min, bounds->spread_max))
            return 0;
    } else if (ask - bid < bounds->spread_min || ask - bid > bounds->spread_max) {
        return 0;
    }
    if (bid == INT64_MIN ? !unbounded(bounds->bid_min, bounds->bid_max)
                         : bid < bounds->bid_min || bid > bounds->bid_max)
        return 0;
    if (ask == INT64_MIN ? !unbounded(bounds->ask_min, bounds->ask_max)
                         : ask < bounds->ask_min || ask > bounds->ask_max)
        return 0;
    return !bounds->weighed || balanced(bounds, instrument);
}

/* `before`: the best prices before the row, INT64_MIN where a side was empty, INT64_MAX where the book was not known. */
static int other_prices(const Instrument *instrument, const int64_t before[2])
{
    return before[0] == INT64_MAX || best_shown(instrument, SIDE_BID) != before[0]
        || best_shown(instrument, SIDE_ASK) != before[1];
}

static int at_best(const Instrument *instrument, const Row *row)
{
    if (row->kind != ROW_CHANGE)
        return 1;
    int64_t best = best_shown(instrument, row->side);
    return best == INT64_MIN || (row->side == SIDE_BID ? row->price >= best : row->price <= best);
}

static int event_meets(const Replay *self, const Filter *filter, const Instrument *instrument)
{
    for (int i = 0; i < ASKED; i++) {
        if (instrument->asked[i] < 0 || i == (filter->exclusive ? ASKED_EVENT : ASKED_EXCLUSIVE))
            continue;
        const Group *group = &self->groups[instrument->asked[i]];
        if (group->members
            && ((group->whole && !group->missing && group->asks <= filter->ask_sum_max) || group->bids >= filter->bid_sum_min))
            return 1;
    }
    return 0;
}

static int passes(const Replay *self, const Filter *filter, const Instrument *instrument, const Row *row,
                  const int64_t before[2])
{
    if (filter->books == 1
        && !(filter->best_sizes ? at_best(instrument, row) : other_prices(instrument, before)))
        return 0;
    if (filter->bounded && !within(&filter->where, instrument))
        return 0;
    return !filter->bounded_event || event_meets(self, filter, instrument);
}

static int passes_engaged(const Filter *filter, const Instrument *instrument, const Row *row, const int64_t before[2])
{
    return filter->engaged == 0 || (filter->engaged == 1 ? at_best(instrument, row) : other_prices(instrument, before));
}

/* Whether a strategy waits for anything in a book as it is. */
static int awaits(const Replay *self, int strategy, const Instrument *instrument)
{
    for (Py_ssize_t i = 0; i < instrument->awaited_count; i++) {
        const Awaited *awaited = &instrument->awaited[i];
        if (awaited->strategy == strategy)
            return !awaited->nothing && within(&awaited->bounds, instrument);
    }
    return !(self->unheard >> strategy & 1);
}

static int wants_change(const Replay *self, int strategy, const Instrument *instrument, const Row *row,
                        const int64_t before[2])
{
    const Filter *filter = &self->filters[strategy];
    if (filter->everything)
        return awaits(self, strategy, instrument);
    if (!(instrument->selected >> strategy & 1))
        return 0;
    if (filter->coverage && before[0] == INT64_MAX && row->kind != ROW_CHANGE)
        return 1;
    if (filter->books == 2 || !awaits(self, strategy, instrument))
        return 0;
    if (!filter->filter_engaged && (instrument->engaged >> strategy & 1)
        && passes_engaged(filter, instrument, row, before))
        return 1;
    return passes(self, filter, instrument, row, before);
}

/* The strategies that are called with a book event, which the book and its groups already show, but for intervals. */
uint64_t wants_book_event(const Replay *self, const Instrument *instrument, const Row *row, const int64_t before[2])
{
    uint64_t wanted = 0;
    for (int i = 0; i < self->strategies && !self->blocked; i++)
        wanted |= (uint64_t)wants_change(self, i, instrument, row, before) << i;
    return wanted;
}

uint64_t wants_trade(const Replay *self, const Instrument *instrument)
{
    uint64_t wanted = 0;
    for (int i = 0; i < self->strategies && !self->blocked; i++) {
        const Filter *filter = &self->filters[i];
        if (filter->everything || (filter->trades && (instrument->selected >> i & 1)))
            wanted |= UINT64_C(1) << i;
    }
    return wanted;
}

/* Whether a change at `price` is one of those that Python has to see: at a place, or while its side is through one. */
int concerns_place(const Instrument *instrument, int side, int64_t price)
{
    int64_t best = price;
    if (instrument->book != NULL && side == SIDE_ASK && ladder_best_price((const Ladder *)instrument->book->asks, price) < best)
        best = ladder_best_price((const Ladder *)instrument->book->asks, price);
    if (instrument->book != NULL && side == SIDE_BID && ladder_best_price((const Ladder *)instrument->book->bids, price) > best)
        best = ladder_best_price((const Ladder *)instrument->book->bids, price);
    for (Py_ssize_t i = 0; i < instrument->place_count; i++) {
        const Place *place = &instrument->places[i];
        if (place->side == side && (place->price == price
            || (place->through && (side == SIDE_ASK ? best <= place->price : best >= place->price))))
            return 1;
    }
    return 0;
}
