/* What the module is made of: each part finds out where fields lie (-1 with an exception) and has functions or types. */

#ifndef PREDSURV_PARTS_H
#define PREDSURV_PARTS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Ladders and books. */
int state_prepare(void);
extern PyTypeObject ladder_type, book_type;

/* Level changes of one time. */
int level_changes_prepare(void);

/* The recorder's fold and its rows of best levels. These prepare themselves when first called: they read types that are
   defined above `state`, which imports this module. */
extern PyMethodDef recording_functions[], recording_changes_functions[];

/* Records and levels as columns. */
int columns_prepare(void);
extern PyMethodDef columns_functions[];

/* Recorded rows and their replay on books; prepares itself when first made. */
extern PyTypeObject rows_type, replay_type, told_trades_type;

/* What the miner measures. */
extern PyMethodDef mine_functions[];

/* Messages out of WebSocket frames. */
extern PyMethodDef net_functions[];

/* Polymarket's frames. */
int polymarket_prepare(void);
extern PyMethodDef polymarket_functions[];
extern PyTypeObject polymarket_reader_type;

/* Kalshi's frames; prepares itself when first made. */
extern PyTypeObject kalshi_reader_type;

#endif
