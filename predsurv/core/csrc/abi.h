/* The version of what the extensions and their Python modules expect of each other: see core/native.py. */

#ifndef PREDSURV_ABI_H
#define PREDSURV_ABI_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define ABI_VERSION 3

/* Return whether predsurv.core.native states this version; 0 with ImportError when not. Called before anything else. */
static inline int abi_matches(void)
{
    PyObject *module = PyImport_ImportModule("predsurv.core.native");
    PyObject *stated = module == NULL ? NULL : PyObject_GetAttrString(module, "ABI_VERSION");
    long version = stated == NULL ? -1 : PyLong_AsLong(stated);
    Py_XDECREF(module);
    Py_XDECREF(stated);
    if (version == ABI_VERSION)
        return 1;
    PyErr_SetString(PyExc_ImportError, "built from other sources: install again");
    return 0;
}

#endif
