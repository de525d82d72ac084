/* A message of one of Kalshi's level changes, as numbers and a ticker that points into its frame. */

#ifndef PREDSURV_KALSHI_SCAN_H
#define PREDSURV_KALSHI_SCAN_H

#include "wire_text.h"

/* What a frame says; -1 where it does not. */
typedef struct { Text ticker; int64_t sid, seq, ts_ms, sending_ts_ms, price, change; int no; } Delta;

/* Read the frame of a change; 0 when it is none in its present form. */
int read_delta(PyObject *frame, Delta *out);

#endif
