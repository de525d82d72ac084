/* A message of one of Polymarket's whole books, as numbers and a token that points into its frame. */

#ifndef PREDSURV_POLYMARKET_BOOKS_H
#define PREDSURV_POLYMARKET_BOOKS_H

#include "packed_book.h"
#include "wire_text.h"

typedef struct { int64_t price, size; } WireLevel;
typedef struct { WireLevel *levels; Py_ssize_t count, room; } WireSide;
typedef struct { Text token; WireSide bids, asks; int64_t stamp; int states_tick; } BookMessage;

/* Read the frame of a book into a message, whose room is kept for the next; 0 when it is none in its present form. */
int read_book(PyObject *frame, BookMessage *out);

/* The book of a message for an instrument. NULL with an exception. */
PackedBook *packed_message(Module *module, const BookMessage *said, PyObject *key, PyObject *ts_recv, PyObject *epoch);

/* Free the room of a message. */
void forget_book(BookMessage *self);

#endif
