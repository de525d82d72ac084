/* The shape of books: the twin of `shapes` in measures/books.py. Rows are looked at in blocks, level by level, so that
   the compiler can do several of them at once. */

#include "mine.h"

#define CENT 0.01
#define ROUNDING 1e-9
#define BLOCK 32
#define ROWS_AHEAD 64
#define LEVELS_MAX (COLUMNS_MAX / 4)

static const double reaches[REACHES] = {1 * CENT + ROUNDING, 2 * CENT + ROUNDING, 5 * CENT + ROUNDING, 10 * CENT + ROUNDING};
static const double amounts[AMOUNTS] = {100.0, 1000.0, 10000.0};

/* The levels of a side from a row on, best first; `sign`: +1 where prices rise away from the best one. */
typedef struct { const Columns *columns; Py_ssize_t first, levels, row; double sign; } Side;

static const double *prices_at(const Side *self, Py_ssize_t level)
{
    return numbers_of(self->columns, (int)(self->first + level)) + self->row;
}

static const double *sizes_at(const Side *self, Py_ssize_t level)
{
    return prices_at(self, self->levels + level);
}

/* What lies in the levels of a side, row by row: the depths; shares and dollars before each level, and in all of them;
   before how many levels there is less than each amount. */
typedef struct {
    double depths[REACHES][BLOCK], shares[LEVELS_MAX + 1][BLOCK], worth[LEVELS_MAX + 1][BLOCK], short_of[AMOUNTS][BLOCK];
} Walk;

/* Ask for the numbers of a later block: no processor foresees as many columns as a book has. */
static void ask_for(const double *numbers)
{
#ifdef __GNUC__
    for (int i = 0; i < BLOCK; i += 8) /* those of a cache line come together */
        __builtin_prefetch(numbers + i);
#else
    (void)numbers;
#endif
}

/* Add a level of `rows` rows. */
static void walk_level(Walk *self, const Side *side, Py_ssize_t level, int rows)
{
    const double *best = prices_at(side, 0), *prices = prices_at(side, level), *sizes = sizes_at(side, level);
    const double sign = side->sign;
    double distances[BLOCK], found[BLOCK];
    ask_for(prices + ROWS_AHEAD);
    ask_for(sizes + ROWS_AHEAD);
    for (int i = 0; i < rows; i++) {
        double price = prices[i], size = sizes[i], dollars = price * size;
        size = isnan(dollars) ? 0.0 : size;
        dollars = isnan(dollars) ? 0.0 : dollars;
        distances[i] = sign * (price - best[i]);
        found[i] = size;
        self->shares[level + 1][i] = self->shares[level][i] + size;
        self->worth[level + 1][i] = self->worth[level][i] + dollars;
    }
    for (int reach = 0; reach < REACHES; reach++)
        for (int i = 0; i < rows; i++)
            self->depths[reach][i] += distances[i] <= reaches[reach] ? found[i] : 0.0;
    for (int amount = 0; amount < AMOUNTS; amount++)
        for (int i = 0; i < rows; i++)
            self->short_of[amount][i] += self->worth[level + 1][i] < amounts[amount] ? 1.0 : 0.0;
}

static void walk(Walk *self, const Side *side, int rows)
{
    memset(self->depths, 0, sizeof self->depths);
    memset(self->short_of, 0, sizeof self->short_of);
    memset(self->shares[0], 0, sizeof self->shares[0]);
    memset(self->worth[0], 0, sizeof self->worth[0]);
    for (Py_ssize_t level = 0; level < side->levels; level++)
        walk_level(self, side, level, rows);
}

/* Return the price of the last level that is there. */
static double last_price(const Side *side, int row)
{
    double last = NAN;
    for (Py_ssize_t level = 0; level < side->levels; level++)
        if (!isnan(prices_at(side, level)[row]) && !isnan(sizes_at(side, level)[row]))
            last = prices_at(side, level)[row];
    return last;
}

/* Return the shares that an amount trades, NaN where the levels do not hold as much. */
static double traded(const Walk *self, const Side *side, int amount, int row)
{
    Py_ssize_t level = (Py_ssize_t)self->short_of[amount][row];
    double shares = self->shares[level][row], worth = self->worth[level][row];
    if (level < side->levels)
        return shares + (amounts[amount] - worth) / prices_at(side, level)[row];
    if (worth >= amounts[amount] - ROUNDING) /* a dollar that is short by rounding only is there */
        return shares + (amounts[amount] - worth) / last_price(side, row);
    return NAN;
}

/* Whether the last recorded level of a side is nearer than so many cents. */
static int is_cut(const Side *self, int row, int cents)
{
    return self->sign * (prices_at(self, self->levels - 1)[row] - prices_at(self, 0)[row]) < cents * CENT - ROUNDING;
}

static void tell(Cell *cells, const Side *bids, const Side *asks, const Walk *below, const Walk *above, int row)
{
    double bid = prices_at(bids, 0)[row], ask = prices_at(asks, 0)[row];
    double bid_sz = sizes_at(bids, 0)[row], ask_sz = sizes_at(asks, 0)[row];
    double near_bid = below->depths[REACH_5C][row], near_ask = above->depths[REACH_5C][row];
    int crossed = bid >= ask;
    cells[CROSSED].i = crossed;
    cells[CUT_5].i = is_cut(bids, row, 5) || is_cut(asks, row, 5);
    cells[CUT_10].i = is_cut(bids, row, 10) || is_cut(asks, row, 10);
    cells[BID].f = bid;
    cells[ASK].f = ask;
    cells[BID_SZ].f = bid_sz;
    cells[ASK_SZ].f = ask_sz;
    cells[SPREAD].f = crossed ? NAN : ask - bid;
    cells[MID].f = crossed ? NAN : (ask + bid) / 2;
    cells[MICRO].f = !crossed && bid_sz + ask_sz > 0 ? (bid * ask_sz + ask * bid_sz) / (bid_sz + ask_sz) : NAN;
    cells[IMBALANCE].f = !crossed && near_bid + near_ask > 0 ? (near_bid - near_ask) / (near_bid + near_ask) : NAN;
    for (int reach = 0; reach < REACHES; reach++) {
        cells[DEPTH + reach].f = below->depths[reach][row];
        cells[DEPTH + REACHES + reach].f = above->depths[reach][row];
    }
    for (int amount = 0; amount < AMOUNTS; amount++)
        cells[COST + amount].f
            = (traded(below, bids, amount, row) - traded(above, asks, amount, row)) * cells[MID].f / 2;
}

void shapes_of(Held *held, size_t count, const Columns *columns, Py_ssize_t levels)
{
    Walk below, above;
    for (size_t first = 0; first < count; first += BLOCK) {
        const Py_ssize_t row = held[first].row;
        const int rows = count - first < BLOCK ? (int)(count - first) : BLOCK;
        const Side bids = {columns, 0, levels, row, -1.0}, asks = {columns, 2 * levels, levels, row, 1.0};
        walk(&below, &bids, rows);
        walk(&above, &asks, rows);
        for (int i = 0; i < rows; i++)
            tell(held[first + (size_t)i].cells, &bids, &asks, &below, &above, i);
    }
}
