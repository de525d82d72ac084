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

/* Add what held from `at` to `end` while the set was observed. */
void state_add(Cell *told, Stretches *stretches, const Leg *sums, int64_t at, int64_t end, int exhaustive);

/* Add the stretches that are still open. */
void stretches_close(Stretches *self, Cell *told);

#endif
