/* What the module is made of: each part has functions or types, and may find out where fields lie (-1 with an exception). */

#ifndef PREDSURV_PARTS_H
#define PREDSURV_PARTS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "module.h"

/* Ladders and books. */
extern PyType_Spec ladder_spec, book_spec;

/* Level changes of one time, and whole books. */
extern PyType_Spec level_changes_spec, packed_book_spec;

/* The recorder's fold and its rows of best levels. These prepare themselves when first called: they read types that are
   defined above `state`, which imports this module. */
extern PyMethodDef recording_functions[];

/* Records and levels as columns. */
extern PyMethodDef columns_functions[];

/* Recorded rows and their replay on books; prepares itself when first made. */
extern PyType_Spec rows_spec, replay_spec, told_trades_spec;

/* What the miner measures. */
extern PyMethodDef mine_functions[];

/* Messages out of WebSocket frames. */
extern PyMethodDef net_functions[];

/* Polymarket's frames. */
int trades_prepare(Module *module);
extern PyType_Spec polymarket_reader_spec;

/* Rows of Gamma's list, and lines of what is listed. */
extern PyMethodDef gamma_functions[];
extern PyType_Spec gamma_parser_spec, line_writer_spec;

/* Kalshi's frames; prepares itself when first made. */
extern PyType_Spec kalshi_reader_spec;

#endif
