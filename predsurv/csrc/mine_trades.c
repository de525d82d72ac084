/* Trades against the quotes they met: the twin of `impact_sums` and `quotes_filled` in measures/trading.py. */

#include "mine.h"

#define HORIZONS 3
#define REFILL 1 /* which of the horizons tells what came back */
#define MINUTE (60 * NS_SECOND)
#define ROUNDING 1e-9

static const int64_t horizons[HORIZONS] = {1 * NS_SECOND, 10 * NS_SECOND, 60 * NS_SECOND};

/* The cells of a row of impacts, after the number of the visit. */
enum { MARKOUT = 1, EFFECTIVE = MARKOUT + HORIZONS, SHARES, DRAINED = SHARES + HORIZONS + 1, REFILLED };

/* The quotes of one instrument, and one of them by place: the last one at or before a moment that only moves on. */
typedef struct { const Quote *quotes; size_t count; } Quotes;

static const Quote *quote_at(const Quotes *self, size_t *place, int64_t moment)
{
    while (*place < self->count && self->quotes[*place].at <= moment)
        ++*place;
    return *place == 0 ? NULL : &self->quotes[*place - 1];
}

static void gain(Cell *sums, int which, double size, double value)
{
    sums[MARKOUT + which].f += size * value;
    sums[SHARES + which].f += size;
}

/* Add a trade that met a quote, and what held after it. */
static void add_impact(Cell *sums, const Trades *trades, size_t trade, const Quote *met, const Quote *after[HORIZONS])
{
    double price = trades->price[trade], size = trades->size[trade], sign = (double)trades->sign[trade];
    int64_t at = trades->at[trade];
    gain(sums, HORIZONS, size, 2 * sign * (price - met->mid));
    for (int i = 0; i < HORIZONS; i++) {
        if (after[i]->run != met->run || at + horizons[i] >= after[i]->ended)
            continue;
        gain(sums, i, size, sign * (after[i]->mid - price));
        if (i == REFILL) {
            sums[DRAINED].f += sign > 0 ? met->ask_depth : met->bid_depth;
            sums[REFILLED].f += sign > 0 ? after[i]->ask_depth : after[i]->bid_depth;
        }
    }
}

/* Two imagined quotes, at the bid and at the ask, while they rest. */
typedef struct { int64_t posted; int beyond[2]; double there[2], ahead[2]; } Resting;

static int64_t filled_of(const Resting *self)
{
    int64_t filled = 0;
    for (int side = 0; side < 2; side++)
        filled += self->beyond[side] || self->there[side] > self->ahead[side];
    return filled;
}

static void add_fill(Resting *self, const Quote *quote, double price, double size, int bought)
{
    double beyond = bought ? price - quote->ask : quote->bid - price;
    self->ahead[bought] = bought ? quote->ask_sz : quote->bid_sz;
    self->beyond[bought] |= beyond > ROUNDING;
    self->there[bought] += fabs(beyond) <= ROUNDING ? size : 0.0;
}

static const Resting nothing_rests = {INT64_MIN, {0, 0}, {0.0, 0.0}, {INFINITY, INFINITY}};

/* Count the imagined quotes that the trades from `first` to before `end` filled; -1 without memory. */
static int measure_fills(Sheet *out, const Quotes *quotes, const Trades *trades, size_t first, size_t end)
{
    int64_t base = trades->code[first] * STRIDE, filled = 0;
    size_t place = 0;
    Resting resting = nothing_rests;
    int any = 0;
    for (size_t trade = first; trade < end; trade++) {
        int64_t after = trades->at[trade] - base;
        if (trades->sign[trade] == 0 || after <= 0)
            continue;
        int64_t posted = base + (after - 1) / MINUTE * MINUTE;
        const Quote *quote = quote_at(quotes, &place, posted);
        if (quote == NULL || posted + MINUTE > quote->ended)
            continue;
        if (posted != resting.posted) {
            filled += filled_of(&resting);
            resting = nothing_rests;
            resting.posted = posted;
        }
        any = 1;
        add_fill(&resting, quote, trades->price[trade], trades->size[trade], trades->sign[trade] > 0);
    }
    Cell *row = any ? sheet_row(out) : NULL;
    if (any && row == NULL)
        return -1;
    if (any) {
        row[0].i = trades->code[first];
        row[1].i = filled + filled_of(&resting);
    }
    return 0;
}

int trades_measure(Paths *self, Trades *trades, int64_t code, size_t count)
{
    while (trades->next < trades->count && trades->code[trades->next] < code)
        trades->next++;
    size_t first = trades->next, before = 0, places[HORIZONS] = {0};
    while (trades->next < trades->count && trades->code[trades->next] == code)
        trades->next++;
    if (first == trades->next)
        return 0;
    const Quotes quotes = {self->quotes, count};
    for (size_t trade = first; trade < trades->next; trade++) {
        const Quote *after[HORIZONS], *met = quote_at(&quotes, &before, trades->at[trade] - 1);
        if (met == NULL || trades->at[trade] >= met->ended || trades->sign[trade] == 0)
            continue;
        for (int i = 0; i < HORIZONS; i++)
            after[i] = quote_at(&quotes, &places[i], trades->at[trade] + horizons[i]);
        Cell *sums = sheet_row_of(&self->impacts, met->visit);
        if (sums == NULL)
            return -1;
        add_impact(sums, trades, trade, met, after);
    }
    return measure_fills(&self->filled, &quotes, trades, first, trades->next);
}
