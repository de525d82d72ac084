/* Sums of the best prices of a set of outcomes while it is observed. */

#ifndef PREDSURV_MINE_OUTCOMES_H
#define PREDSURV_MINE_OUTCOMES_H

#include "mine.h"

#define MICROS 1000000
#define FEE_SETS 1000 /* fees are those of so many sets */

/* What is told of a set. */
enum { SET, SET_S, ASKED_S, BIDS_S, ASKS_S, BEYOND, NET = BEYOND + 6, SUM_CELLS = NET + 6 };

/* What a book adds to the sums of its set; those of all outcomes that are observed. */
typedef struct { int64_t known, asked, bid, ask, bid_fee, ask_fee; } Leg;

/* A time in which trading at the best prices left something, so far. */
typedef struct { int64_t since, until, deepest; double lasted; int open, fresh; } Stretch;
typedef struct { Stretch gross, net; } Stretches; /* before and after fees */

/* Best prices that held from `at` to `end` (ns of the hour), micros, TOLD_NOTHING where there is none. */
enum { TOP_AT, TOP_END, TOP_BID, TOP_ASK, TOP_CELLS };
/* From which one on they are of an instrument. */
enum { RUN_CODE, RUN_FIRST, RUN_CELLS };
/* What Python gives. */
enum { RUNS, TIMES, TRUSTED_ROWS, BEST, CARRY, TRUSTED_CARRY, VISITS, TERMS, SETS, GIVEN };

/* The best prices of an hour while they were sound and in covered time: instruments one after another. */
typedef struct {
    const Columns *given;
    int64_t begin;
    Visits visits;
    size_t visit;
    Sheet tops, runs, prices;
    int32_t *places; /* of each price among the `prices`, from 1 on; 0: it is none of them */
} Tops;

/* Whether anything is charged for a share at `price`. */
static inline int is_charged(int64_t price)
{
    return price > 0 && price < MICROS;
}

/* Keep the books of all instruments; 1 when they are not in order, -1 without memory. */
int tops_keep(Tops *self, const Columns *given, int64_t begin);
void tops_clear(Tops *self);

/* Add what held from `at` to `end` while the set was observed. */
void state_add(Cell *told, Stretches *stretches, const Leg *sums, int64_t at, int64_t end, int exhaustive);

/* Add the stretches that are still open. */
void stretches_close(Stretches *self, Cell *told);

#endif
