/* Levels as columns. */

#ifndef PREDSURV_COLUMNS_H
#define PREDSURV_COLUMNS_H

#include "runs.h"

/* level_arrays(counts, prices, sizes, levels): the levels of many book sides, concatenated, as a column each. */
PyObject *level_arrays(PyObject *module, PyObject *args);

/* arrival_numbers(times, offset, count), all_but(count, positions): see seal/runs.py. */
PyObject *arrival_numbers(PyObject *module, PyObject *args);
PyObject *all_but(PyObject *module, PyObject *args);

#endif
