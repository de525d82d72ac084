/* Packed runs; see store/wal/packed_runs.py. */

#ifndef PREDSURV_PACKED_RUNS_H
#define PREDSURV_PACKED_RUNS_H

#include "runs.h"

enum { SCALE_NONE = 0, SCALE_TICKS = 2, SCALE_HUNDREDTHS = 4, SCALE_MILLISECONDS = 6 };

/* `count` values as bytes of a packed run, which consumes them; NULL with an exception. */
PyObject *pack_run(int64_t *values, size_t count, uint8_t scale);

/* unpack_runs(runs, width): the values of all runs as integers of that many bytes. */
PyObject *unpack_runs(PyObject *module, PyObject *args);

#endif
