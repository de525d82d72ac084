/* Trades that nobody observes are remembered all the same, as engine/fills/primary_trades.py does. */

#include "replay.h"

#include "told_trades.h"

/* Check what `told` says of several brokers. */
int told_check(const Module *module, PyObject *told)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(told); i++)
        if (!Py_IS_TYPE(PyTuple_GET_ITEM(told, i), module->told_trades)) {
            PyErr_SetString(PyExc_TypeError, "told is NativeToldTrades of each broker");
            return -1;
        }
    return 0;
}

/* What a trade is in terms of the book in which it happened. */
static TradeIdentity identity_of(const Replay *self, const Instrument *instrument, const Row *row)
{
    const Instrument *primary = &self->instruments[instrument->primary];
    int turned = primary != instrument;
    return (TradeIdentity){
        primary->key, turned ? MICROS - row->price : row->price, row->size, row->ts_venue,
        row->side == SIDE_NONE || !turned ? row->side : row->side == SIDE_ASK ? SIDE_BID : SIDE_ASK,
    };
}

/* Let every broker remember a trade. -1 with an exception. */
int trade_note(Replay *self, const Rows *rows, const Row *row)
{
    const Instrument *instrument = &self->instruments[row_instrument(rows, row)];
    PyObject *trade_id = PyList_GET_ITEM(rows->trade_ids, row->seq);
    TradeIdentity identity = identity_of(self, instrument, row);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self->told); i++) {
        ToldTrades *told = (ToldTrades *)PyTuple_GET_ITEM(self->told, i);
        int known = trade_id == Py_None ? 0 : told_knows(told, instrument->key, trade_id, row->ts_venue);
        if (known < 0)
            return -1;
        if (!known && instrument->mirror >= 0 && told_is_echo(told, &identity, instrument->key, row->ts) < 0)
            return -1;
    }
    return 0;
}
