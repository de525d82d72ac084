/* The shape of a book: the twin of `shapes` in measures/books.py. */

#include "mine.h"

#define CENT 0.01
#define ROUNDING 1e-9
#define ROWS_AHEAD 24

static const double reaches[REACHES] = {1 * CENT + ROUNDING, 2 * CENT + ROUNDING, 5 * CENT + ROUNDING, 10 * CENT + ROUNDING};
static const double amounts[AMOUNTS] = {100.0, 1000.0, 10000.0};

/* The levels of a side, best first; `sign`: +1 where prices rise away from the best one. */
typedef struct { const Columns *columns; Py_ssize_t first, levels, row; double sign; } Side;

/* Return a number, and ask for the one some rows on: no processor foresees as many columns as a book has. */
static double number_at(const Side *self, Py_ssize_t column)
{
    const double *place = numbers_of(self->columns, (int)(self->first + column)) + self->row;
#ifdef __GNUC__
    __builtin_prefetch(place + ROWS_AHEAD);
#endif
    return *place;
}

static double price_at(const Side *self, Py_ssize_t level)
{
    return number_at(self, level);
}

static double size_at(const Side *self, Py_ssize_t level)
{
    return number_at(self, self->levels + level);
}

/* What lies in the levels of a side: the depths, and what each amount trades, NaN where the levels do not hold as much. */
typedef struct { double depths[REACHES], traded[AMOUNTS]; } Walk;

static Walk walk(const Side *self)
{
    Walk found = {{0.0}, {0.0}};
    double best = price_at(self, 0), shares = 0.0, worth = 0.0, last = NAN;
    int amount = 0;
    for (Py_ssize_t level = 0; level < self->levels; level++) {
        double price = price_at(self, level), size = size_at(self, level);
        if (isnan(price) || isnan(size))
            continue;
        double distance = self->sign * (price - best), total = worth + price * size;
        for (int reach = 0; reach < REACHES; reach++) /* without a branch: none of them would be foreseen */
            found.depths[reach] += distance <= reaches[reach] ? size : 0.0;
        for (; amount < AMOUNTS && total >= amounts[amount]; amount++)
            found.traded[amount] = shares + (amounts[amount] - worth) / price;
        shares += size;
        worth = total;
        last = price;
    }
    for (; amount < AMOUNTS; amount++) /* a dollar that is short by rounding only is there */
        found.traded[amount] = worth >= amounts[amount] - ROUNDING ? shares + (amounts[amount] - worth) / last : NAN;
    return found;
}

/* Whether the last recorded level of a side is nearer than so many cents. */
static int is_cut(const Side *self, int cents)
{
    return self->sign * (price_at(self, self->levels - 1) - price_at(self, 0)) < cents * CENT - ROUNDING;
}

void shape_of(Cell *cells, const Columns *columns, Py_ssize_t levels, Py_ssize_t row)
{
    const Side bids = {columns, 0, levels, row, -1.0}, asks = {columns, 2 * levels, levels, row, 1.0};
    double bid = price_at(&bids, 0), ask = price_at(&asks, 0), bid_sz = size_at(&bids, 0), ask_sz = size_at(&asks, 0);
    const Walk below = walk(&bids), above = walk(&asks);
    int crossed = bid >= ask;
    double near_bid = below.depths[REACH_5C], near_ask = above.depths[REACH_5C];
    cells[CROSSED].i = crossed;
    cells[CUT_5].i = is_cut(&bids, 5) || is_cut(&asks, 5);
    cells[CUT_10].i = is_cut(&bids, 10) || is_cut(&asks, 10);
    cells[BID].f = bid;
    cells[ASK].f = ask;
    cells[BID_SZ].f = bid_sz;
    cells[ASK_SZ].f = ask_sz;
    cells[SPREAD].f = crossed ? NAN : ask - bid;
    cells[MID].f = crossed ? NAN : (ask + bid) / 2;
    cells[MICRO].f = !crossed && bid_sz + ask_sz > 0 ? (bid * ask_sz + ask * bid_sz) / (bid_sz + ask_sz) : NAN;
    cells[IMBALANCE].f = !crossed && near_bid + near_ask > 0 ? (near_bid - near_ask) / (near_bid + near_ask) : NAN;
    for (int reach = 0; reach < REACHES; reach++) {
        cells[DEPTH + reach].f = below.depths[reach];
        cells[DEPTH + REACHES + reach].f = above.depths[reach];
    }
    for (int amount = 0; amount < AMOUNTS; amount++)
        cells[COST + amount].f = (below.traded[amount] - above.traded[amount]) * cells[MID].f / 2;
}
