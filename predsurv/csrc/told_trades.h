/* What is remembered of public trades: engine/fills/told_trades.py. */

#ifndef PREDSURV_TOLD_TRADES_H
#define PREDSURV_TOLD_TRADES_H

#include "module.h"

typedef struct ToldTrades ToldTrades;

/* What both tellings of a trade have in common; `taker`: a SIDE_. Its key is borrowed. */
typedef struct { PyObject *key; int64_t price, size, ts_venue; int taker; } TradeIdentity;

/* Whether a trade with that id was told before, which it is from now on; -1 with an exception. */
int told_knows(ToldTrades *self, PyObject *key, PyObject *trade_id, int64_t ts_venue);

/* Whether a trade told on `key` was told on the other outcome, and not yet on this one; -1 with an exception. */
int told_is_echo(ToldTrades *self, const TradeIdentity *identity, PyObject *key, int64_t ts_recv);

#endif
