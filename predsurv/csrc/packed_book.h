/* A whole book whose levels are native integers; see core/packed_book.py. */

#ifndef PREDSURV_PACKED_BOOK_H
#define PREDSURV_PACKED_BOOK_H

#include "module.h"

/* A level of one side by rank: the price of a bid, the negated price of an ask. The best has the highest. */
typedef struct { int64_t rank, size; } Rung;

typedef struct {
    PyObject_HEAD
    Module *module;
    PyObject *key, *ts_recv, *epoch;
    int64_t ts, epoch_number; /* the same as numbers */
    int64_t ts_venue, seq;    /* INT64_MIN is None */
    Rung *rungs;              /* the bids, then the asks, each by rank, the best last; none is empty */
    Py_ssize_t bids, asks;    /* how many there are */
} PackedBook;

/* A book without levels yet, but with room for them. NULL with an exception. */
PackedBook *packed_book_new(Module *module, PyObject *key, PyObject *ts_recv, PyObject *epoch, Py_ssize_t room);

/* The same as an event. NULL with an exception. */
PyObject *packed_book_event(const PackedBook *self);

#endif
