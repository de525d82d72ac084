/* What a book needs of its ladders. */

#ifndef PREDSURV_STATE_H
#define PREDSURV_STATE_H

#include "parts.h"
#include "slots.h"

/* A level by rank: the price of a bid, the negated price of an ask. The best has the highest. */
typedef struct { int64_t rank, size; } Rung;

typedef struct {
    PyObject_HEAD
    Rung *rungs; /* by rank, the best last: most changes are near it */
    Py_ssize_t count, room;
    int64_t edge; /* a change of no lower rank makes what is kept stale */
    PyObject *top, *packed; /* as last asked for */
    Py_ssize_t top_count, packed_count; /* how many levels were; -1 when they may be different now */
    int sign; /* 1 bids, -1 asks */
} Ladder;

/* Make `size` the whole size at `price`; 0 removes the level. -1 with an exception. */
int ladder_put(Ladder *self, int64_t price, int64_t size);

#endif
