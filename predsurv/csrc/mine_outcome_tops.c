/* The best prices of an hour's books, one instrument after another: the first step of sums of outcomes. */

#include "mine_outcomes.h"

#define BEFORE (-1) /* when the books began that held as the hour did */

/* A book, while it is not known until when it held. */
typedef struct { int64_t at, bid, ask; int trusted; } Pending;

static int64_t micros_of(double dollars)
{
    double micros = round(dollars * MICROS);
    return fabs(micros) < 1e15 ? (int64_t)micros : TOLD_NOTHING;
}

/* Give a price that is charged a place in the table of fees; -1 without memory. */
static int note_price(Tops *self, int64_t price)
{
    if (!is_charged(price) || self->places[price])
        return 0;
    Cell *row = sheet_row(&self->prices);
    if (row == NULL)
        return -1;
    row->i = price;
    self->places[price] = (int32_t)self->prices.rows;
    return 0;
}

/* Keep the book that held until `next`, as far as it is sound and in covered time; -1 without memory. */
static int keep(Tops *self, int64_t code, const Pending *book, int64_t next)
{
    int64_t base = code * STRIDE;
    if (next <= book->at)
        return 0;
    size_t visit = visit_at(&self->visits, &self->visit, base + (book->at > 0 ? book->at : 0));
    if (visit == self->visits.count || self->visits.owner[visit] != code || !book->trusted)
        return 0;
    if (book->bid != TOLD_NOTHING && book->ask != TOLD_NOTHING && book->bid >= book->ask)
        return 0;
    Cell *row = sheet_row(&self->tops);
    if (row == NULL || note_price(self, book->bid) < 0 || note_price(self, book->ask) < 0)
        return -1;
    int64_t until = self->visits.until[visit] - base;
    row[TOP_AT].i = book->at;
    row[TOP_END].i = next < until ? next : until;
    row[TOP_BID].i = book->bid;
    row[TOP_ASK].i = book->ask;
    return 0;
}

static Pending book_of(const Columns *best, int first, const Columns *trusted, Py_ssize_t row, int64_t at)
{
    return (Pending){at, micros_of(numbers_of(best, first)[row]), micros_of(numbers_of(best, first + 1)[row]),
                     ((const uint8_t *)trusted->views[0].buf)[row]};
}

/* Keep the books of one instrument, the `carried` one first; 1 when they are not in order, -1 without memory. */
static int keep_instrument(Tops *self, int64_t code, Py_ssize_t *carried, Py_ssize_t row, Py_ssize_t end)
{
    const Columns *given = self->given, *carry = &given[CARRY];
    const int64_t *times = integers_of(&given[TIMES], 0);
    Pending book = {0, 0, 0, 0};
    int holds = 0, more = 1;
    Cell *run = sheet_row(&self->runs);
    if (run == NULL)
        return -1;
    run[RUN_CODE].i = code;
    run[RUN_FIRST].i = (int64_t)self->tops.rows;
    while (more) {
        Pending next = {NS_HOUR, 0, 0, 0};
        if (*carried < carry->rows && integers_of(carry, 0)[*carried] == code) {
            next = book_of(carry, 1, &given[TRUSTED_CARRY], (*carried)++, BEFORE);
        } else if (row < end) {
            next = book_of(&given[BEST], 0, &given[TRUSTED_ROWS], row, times[row] - self->begin);
            row++;
        } else {
            more = 0;
        }
        if (holds && more && next.at < book.at)
            return 1;
        if (holds && keep(self, code, &book, next.at) < 0)
            return -1;
        book = next;
        holds = 1;
    }
    return 0;
}

int tops_keep(Tops *self, const Columns *given, int64_t begin)
{
    const Columns *runs = &given[RUNS], *carry = &given[CARRY];
    const int64_t *codes = integers_of(runs, 0), *lengths = integers_of(runs, 1), *old = integers_of(carry, 0);
    const Py_ssize_t rows = given[TIMES].rows;
    int64_t before = -1;
    *self = (Tops){.given = given, .begin = begin, .visits = visits_of(&given[VISITS]), .tops.width = TOP_CELLS,
                   .runs.width = RUN_CELLS, .prices.width = 1};
    self->places = PyMem_RawCalloc(MICROS, sizeof *self->places);
    if (self->places == NULL)
        return -1;
    for (Py_ssize_t run = 0, row = 0, carried = 0; run < runs->rows || carried < carry->rows;) {
        int64_t fresh = run < runs->rows ? codes[run] : INT64_MAX, length = 0;
        int64_t held = carried < carry->rows ? old[carried] : INT64_MAX;
        int64_t code = held < fresh ? held : fresh;
        if (fresh == code)
            length = lengths[run++];
        if (code <= before || length < 0 || length > rows - row)
            return 1;
        int failed = keep_instrument(self, code, &carried, row, row + length);
        if (failed)
            return failed;
        row += length;
        before = code;
    }
    return 0;
}

void tops_clear(Tops *self)
{
    sheet_clear(&self->tops);
    sheet_clear(&self->runs);
    sheet_clear(&self->prices);
    PyMem_RawFree(self->places);
    self->places = NULL;
}
