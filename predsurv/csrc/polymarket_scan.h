/* A message of Polymarket's price changes, as texts and numbers that point into its frame. */

#ifndef PREDSURV_POLYMARKET_SCAN_H
#define PREDSURV_POLYMARKET_SCAN_H

#include "wire_text.h"

#define ENTRIES_MAX 64 /* changes of one message; it has two */

typedef struct { Text token, price_text, size_text; int64_t price, size; int bid; } Entry;
typedef struct { Entry entries[ENTRIES_MAX]; int count; int64_t stamp; } Changes;

/* Whether a frame ends as a price change does. */
int is_change(PyObject *frame);

/* Read a frame of changes; 0 when it is not in its present form. */
int read_changes(PyObject *frame, Changes *out);

/* Whether both say the same, in whatever order. */
int repeats(const Changes *said, const Changes *before);

#endif
