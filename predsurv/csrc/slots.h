/* Fields of msgspec structs, read where they lie. */

#ifndef PREDSURV_SLOTS_H
#define PREDSURV_SLOTS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Ask for memory that is needed soon. */
#ifdef __GNUC__
#define FETCH(address) __builtin_prefetch(address)
#else
#define FETCH(address) ((void)(address))
#endif

/* A type of predsurv.core as a new reference; NULL with an exception when there is none. */
static inline PyTypeObject *core_type(const char *module_name, const char *name)
{
    PyObject *module = PyImport_ImportModule(module_name);
    PyObject *found = module == NULL ? NULL : PyObject_GetAttrString(module, name);
    Py_XDECREF(module);
    if (found != NULL && !PyType_Check(found)) {
        PyErr_Format(PyExc_TypeError, "%s.%s is no type", module_name, name);
        Py_CLEAR(found);
    }
    return (PyTypeObject *)found;
}

/* Where the field `name` lies in an instance; 0 with an exception when it is no plain slot. */
static inline Py_ssize_t slot_of(PyTypeObject *type, const char *name)
{
    PyObject *found = PyObject_GetAttrString((PyObject *)type, name);
    Py_ssize_t offset = 0;
    if (found != NULL && Py_IS_TYPE(found, &PyMemberDescr_Type))
        offset = ((PyMemberDescrObject *)found)->d_member->offset;
    else if (found != NULL)
        PyErr_Format(PyExc_TypeError, "%s.%s is no slot", type->tp_name, name);
    Py_XDECREF(found);
    return offset;
}

/* Find out where the field `name` lies and note it in `where`, a struct with a member of its name. 0 with an exception. */
#define AT(where, type, name) ((where).name = slot_of(type, #name))

/* The value of a field, borrowed; a struct that was made has all of them. */
static inline PyObject *slot(PyObject *object, Py_ssize_t offset)
{
    return *(PyObject **)((char *)object + offset);
}

#endif
