/* What this module is made of. */

#ifndef PREDSURV_COLUMNS_H
#define PREDSURV_COLUMNS_H

#include "runs.h"

/* spread(counts, pairs, levels): levels of many sides, lying one after the other, as columns side by side. */
PyObject *spread(PyObject *module, PyObject *args);

#endif
