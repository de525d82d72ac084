/* Levels as columns. */

#ifndef PREDSURV_COLUMNS_H
#define PREDSURV_COLUMNS_H

#include "runs.h"

/* level_arrays(counts, pairs, levels): the levels of many book sides, concatenated, as one column per price and size. */
PyObject *level_arrays(PyObject *module, PyObject *args);

#endif
