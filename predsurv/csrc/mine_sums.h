/* Sums of held book rows. */

#ifndef PREDSURV_MINE_SUMS_H
#define PREDSURV_MINE_SUMS_H

#include "mine.h"

/* A spread, and for how long it held; a slot is free where that is 0. */
typedef struct { int64_t micros; double held; } Slot;

typedef struct { Sheet books, spreads, visits, prices; Slot *slots; size_t slot_count, used; } BookSums;

void sums_prepare(BookSums *self);
/* Measure the held rows of one instrument; -1 without memory. */
int sums_measure(BookSums *self, const Visits *visits, const Held *held, size_t count);
void sums_clear(BookSums *self);

#endif
