/* What one interpreter's copy of this module holds. Nothing is kept outside it, so that several interpreters of a process,
   each with a copy of its own, share nothing. Objects of its types point to it: they keep their type, and that the module. */

#ifndef PREDSURV_MODULE_H
#define PREDSURV_MODULE_H

#include "slots.h"

#define TOKENS 8192   /* remembered texts */
#define TOKEN_BITS 13 /* 2 ** 13 = TOKENS */
#define PRICES 10001  /* remembered prices, from 0 to a dollar */

/* References first, that the module can go through them. */
typedef struct Module {
    /* Types of this module. */
    PyTypeObject *ladder, *book, *level_changes, *packed_book, *kalshi_reader, *polymarket_reader, *rows, *told_trades, *replay,
        *gamma_parser, *line_writer;
    /* predsurv.core, which is there before this module. */
    PyTypeObject *key, *delta, *snapshot, *trade, *top;
    PyObject *bid, *ask, *buy, *sell, *ts_recv, *start;
    /* What ids of trades are made with. */
    PyObject *blake2b, *hexdigest, *digest_size, *digest_names;
    /* The recorder: NULL until it folds for the first time. */
    PyTypeObject *line;
    PyObject *change, *packed, *heappush, *heappop;
    /* What a replay shows: NULL until one is made. */
    PyTypeObject *instrument_state, *best_before;
    /* Kalshi's books: NULL until a reader of its changes is made. */
    PyTypeObject *market_book;
    /* Texts and prices of frames, which come again and again. */
    PyObject *tokens[TOKENS], *prices[PRICES];
    /* Where the fields of instances lie. */
    struct { Py_ssize_t key, ts_recv, ts_venue, epoch, seq, side, price, size; } delta_at;
    struct { Py_ssize_t key, ts_recv, ts_venue, epoch, seq, bids, asks; } snapshot_at;
    struct { Py_ssize_t instrument_id; } key_at;
    struct { Py_ssize_t key, ts_recv; } trade_at;
    struct { Py_ssize_t key, ts_recv, ts_venue, bids, asks, trusted; } top_at;
    struct { Py_ssize_t book, bids, asks, pending, due, changed_at, epoch, shown_at, told_at; } line_at;
    struct { Py_ssize_t price, size, ts; } state_at;
    struct { Py_ssize_t ticker, bids, asks, live; } market_book_at;
} Module;

extern struct PyModuleDef speedups_definition;

/* The module of a type of it, or of one that is derived from such. NULL with an exception. */
static inline Module *module_of(PyTypeObject *type)
{
    PyObject *module = PyType_GetModuleByDef(type, &speedups_definition);
    return module == NULL ? NULL : PyModule_GetState(module);
}

/* Free an instance; it kept its type. */
static inline void free_instance(void *instance)
{
    PyTypeObject *type = Py_TYPE(instance);
    type->tp_free(instance);
    Py_DECREF(type);
}

#endif
