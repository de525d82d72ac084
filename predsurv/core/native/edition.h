/* What every compiled twin says of itself, and that it is of these sources' edition: see twins.py. */

#ifndef PREDSURV_EDITION_H
#define PREDSURV_EDITION_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define EDITION 2

/* Whether the Python beside is of this edition; ImportError when not, before anything else of it is relied on. */
static inline int edition_fits(void)
{
    PyObject *twins = PyImport_ImportModule("predsurv.core.native");
    PyObject *stated = twins == NULL ? NULL : PyObject_GetAttrString(twins, "EDITION");
    long edition = stated == NULL ? -1 : PyLong_AsLong(stated);
    Py_XDECREF(twins);
    Py_XDECREF(stated);
    if (edition == EDITION)
        return 1;
    PyErr_SetString(PyExc_ImportError, "built from another edition of the sources: install again");
    return 0;
}

#endif
