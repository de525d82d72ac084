/* A message of one of Polymarket's public trades, as texts and numbers that point into its frame. */

#ifndef PREDSURV_POLYMARKET_TRADES_H
#define PREDSURV_POLYMARKET_TRADES_H

#include "module.h"
#include "wire_text.h"

typedef struct { Text token, price_text, size_text, side, stamp_text, transaction; int64_t price, size, stamp; } TradeMessage;

/* Read the frame of a trade; 0 when it is none in its present form. */
int read_trade(PyObject *frame, TradeMessage *out);

/* The trade as an event of an instrument. NULL with an exception. */
PyObject *trade_event(Module *module, const TradeMessage *said, PyObject *key, PyObject *ts_recv);

#endif
