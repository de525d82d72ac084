/* Sums of held book rows, weighted by time: the twin of `book_sums`, `spread_times`, `visit_sums` and `mid_path`. */

#include "mine_sums.h"

#define MICROS 1e6
#define FIRST_SLOTS 64

/* The cells of a row of sums, after the code. */
enum { TRUSTED_S = 1, TWO_SIDED, CROSSED_S, IMBALANCE_KNOWN, CUT_5_S, CUT_10_S, COST_KNOWN, RELATIVE = COST_KNOWN + AMOUNTS,
       WEIGHTED };
#define WEIGHTED_CELLS (BID - SPREAD) /* from the spread on, up to the costs */
#define BOOK_CELLS (WEIGHTED + WEIGHTED_CELLS)
#define PATH_CELLS 9

/* The cells of a row of a visit, after its number. */
enum { VISIT_TRUSTED = 1, VISIT_TWO_SIDED, VISIT_SPREAD, VISIT_DEPTHS, VISIT_CELLS = VISIT_DEPTHS + 2 };

void sums_prepare(BookSums *self)
{
    self->books.width = BOOK_CELLS;
    self->spreads.width = 3;
    self->visits.width = VISIT_CELLS;
    self->prices.width = PATH_CELLS;
}

void sums_clear(BookSums *self)
{
    sheet_clear(&self->books);
    sheet_clear(&self->spreads);
    sheet_clear(&self->visits);
    sheet_clear(&self->prices);
    PyMem_RawFree(self->slots);
    self->slots = NULL;
    self->slot_count = self->used = 0;
}

static void add_book(Cell *sums, const Cell *cells, double weight)
{
    sums[TRUSTED_S].f += weight;
    if (!isnan(cells[MID].f)) {
        sums[TWO_SIDED].f += weight;
        sums[RELATIVE].f += cells[SPREAD].f / cells[MID].f * weight;
    }
    sums[CROSSED_S].f += cells[CROSSED].i ? weight : 0.0;
    sums[IMBALANCE_KNOWN].f += isnan(cells[IMBALANCE].f) ? 0.0 : weight;
    sums[CUT_5_S].f += cells[CUT_5].i ? weight : 0.0;
    sums[CUT_10_S].f += cells[CUT_10].i ? weight : 0.0;
    for (int amount = 0; amount < AMOUNTS; amount++)
        sums[COST_KNOWN + amount].f += isnan(cells[COST + amount].f) ? 0.0 : weight;
    for (int each = 0; each < WEIGHTED_CELLS; each++)
        sums[WEIGHTED + each].f += isnan(cells[SPREAD + each].f) ? 0.0 : cells[SPREAD + each].f * weight;
}

static size_t slot_of(const BookSums *self, int64_t micros)
{
    size_t place = ((uint64_t)micros * UINT64_C(0x9E3779B97F4A7C15)) >> 32;
    for (;; place++) {
        const Slot *slot = &self->slots[place & (self->slot_count - 1)];
        if (slot->held == 0.0 || slot->micros == micros)
            return place & (self->slot_count - 1);
    }
}

static int more_slots(BookSums *self)
{
    BookSums grown = {.slot_count = self->slot_count ? 2 * self->slot_count : FIRST_SLOTS};
    grown.slots = PyMem_RawCalloc(grown.slot_count, sizeof(Slot));
    if (grown.slots == NULL)
        return -1;
    for (size_t i = 0; i < self->slot_count; i++)
        if (self->slots[i].held != 0.0)
            grown.slots[slot_of(&grown, self->slots[i].micros)] = self->slots[i];
    PyMem_RawFree(self->slots);
    self->slots = grown.slots;
    self->slot_count = grown.slot_count;
    return 0;
}

static int add_spread(BookSums *self, double spread, double weight)
{
    if (2 * (self->used + 1) > self->slot_count && more_slots(self) < 0)
        return -1;
    int64_t micros = (int64_t)round(spread * MICROS);
    Slot *slot = &self->slots[slot_of(self, micros)];
    self->used += slot->held == 0.0;
    slot->micros = micros;
    slot->held += weight;
    return 0;
}

/* Move the spreads of an instrument into rows. */
static int tell_spreads(BookSums *self, int64_t code)
{
    for (size_t i = 0; self->used > 0 && i < self->slot_count; i++) {
        if (self->slots[i].held == 0.0)
            continue;
        Cell *row = sheet_row(&self->spreads);
        if (row == NULL)
            return -1;
        row[0].i = code;
        row[1].i = self->slots[i].micros;
        row[2].f = self->slots[i].held;
        self->slots[i].held = 0.0;
    }
    self->used = 0;
    return 0;
}

/* Add a value to open, high, low and close; `path` begins as NaN. */
static void add_price(Cell path[4], double value)
{
    if (isnan(value))
        return;
    if (isnan(path[0].f))
        path[0].f = path[1].f = path[2].f = value;
    path[1].f = value > path[1].f ? value : path[1].f;
    path[2].f = value < path[2].f ? value : path[2].f;
    path[3].f = value;
}

static int begin_instrument(BookSums *self, int64_t code, Cell **sums)
{
    *sums = sheet_row(&self->books);
    if (*sums == NULL)
        return -1;
    (*sums)[0].i = code;
    return 0;
}

static int begin_path(BookSums *self, int64_t code, Cell **path)
{
    *path = sheet_row(&self->prices);
    if (*path == NULL)
        return -1;
    (*path)[0].i = code;
    for (int cell = 1; cell < PATH_CELLS; cell++)
        (*path)[cell].f = NAN;
    return 0;
}

/* Add a trusted row to the sums of its visit, from which it is known how much these differ. */
static int add_visit(BookSums *self, int64_t visit, const Cell *cells, double weight)
{
    Cell *row = sheet_row_of(&self->visits, visit);
    if (row == NULL)
        return -1;
    row[VISIT_TRUSTED].f += weight;
    if (!isnan(cells[MID].f)) {
        row[VISIT_TWO_SIDED].f += weight;
        row[VISIT_SPREAD].f += cells[SPREAD].f * weight;
    }
    for (int side = 0; side < 2; side++)
        row[VISIT_DEPTHS + side].f += cells[DEPTH + side * REACHES + REACH_5C].f * weight;
    return 0;
}

int sums_measure(BookSums *self, const Visits *visits, const Held *held, size_t count)
{
    Cell *sums = NULL, *path = NULL;
    int64_t code = held[0].cells[CODE].i;
    for (size_t i = 0; i < count; i++) {
        const Cell *cells = held[i].cells;
        double weight = seconds(held[i].end - cells[AT].i);
        if (!cells[TRUSTED].i)
            continue;
        if (sums == NULL && begin_instrument(self, code, &sums) < 0)
            return -1;
        add_book(sums, cells, weight);
        if (add_visit(self, visits->visit[held[i].visit], cells, weight) < 0)
            return -1;
        if (isnan(cells[MID].f))
            continue;
        if (path == NULL && begin_path(self, code, &path) < 0)
            return -1;
        add_price(path + 1, cells[MID].f);
        add_price(path + 5, cells[MICRO].f);
        if (add_spread(self, cells[SPREAD].f, weight) < 0)
            return -1;
    }
    return tell_spreads(self, code);
}
