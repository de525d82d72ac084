/* What a book needs of its ladders. */

#ifndef PREDSURV_STATE_H
#define PREDSURV_STATE_H

#include "packed_book.h"
#include "parts.h"
#include "slots.h"

typedef struct {
    PyObject_HEAD
    Rung *rungs; /* by rank, the best last: most changes are near it */
    Py_ssize_t count, room;
    int64_t edge; /* a change of no lower rank makes what is kept stale */
    PyObject *top, *packed; /* as last asked for */
    Py_ssize_t top_count, packed_count; /* how many levels were; -1 when they may be different now */
    int sign; /* 1 bids, -1 asks */
} Ladder;

/* A book. The stamps of its last event are objects, or numbers while `plain`; INT64_MIN is None there. */
typedef struct {
    PyObject_HEAD
    Module *module;
    PyObject *key, *bids, *asks, *stamps[4];
    int64_t numbers[4];
    char trusted, plain;
} Book;

enum { STAMP_TS_RECV, STAMP_TS_VENUE, STAMP_EPOCH, STAMP_SEQ };

/* Trust a book, which is what `packed` says from here on. -1 with an exception. */
int book_load(Book *self, const PackedBook *packed);

/* The venue's time of a book's last event, a new reference. NULL with an exception. */
PyObject *book_ts_venue(Book *self);

/* Make `size` the whole size at `price`; 0 removes the level. -1 with an exception. */
int ladder_put(Ladder *self, int64_t price, int64_t size);

/* Forget everything and hold levels, which lie as in `Ladder.rungs`. -1 with an exception. */
int ladder_load(Ladder *self, const Rung *rungs, Py_ssize_t count);

/* The best level as (price, size) or None, a new reference. NULL with an exception. */
PyObject *ladder_best_level(const Ladder *self);

/* The size at `price`, 0 where there is no level. */
int64_t ladder_size(const Ladder *self, int64_t price);

/* Exchange the levels of a ladder for `other`, which lie as in `Ladder.rungs`. */
void ladder_exchange(Ladder *self, Rung **other, Py_ssize_t *count, Py_ssize_t *room);

/* Fetch the best levels, near which most changes are. */
static inline void ladder_fetch(const Ladder *self)
{
    if (self->count == 0)
        return;
    const char *best = (const char *)(self->rungs + self->count - 1);
    FETCH(best);
    FETCH(self->rungs + (self->count > 4 ? self->count - 5 : 0));
    FETCH(self->rungs + self->count / 2);
}

/* The best price, `none` where there is no level. */
static inline int64_t ladder_best_price(const Ladder *self, int64_t none)
{
    return self->count ? self->sign * self->rungs[self->count - 1].rank : none;
}

#endif
