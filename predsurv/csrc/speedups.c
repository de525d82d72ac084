/* predsurv._speedups: the compiled twins of the hottest Python, in one module. */

#include "edition.h"
#include "level_changes.h"
#include "parts.h"

/* Return whether predsurv.core.native states this edition; 0 with ImportError when not. Called before anything else. */
static int edition_matches(void)
{
    PyObject *module = PyImport_ImportModule("predsurv.core.native");
    PyObject *stated = module == NULL ? NULL : PyObject_GetAttrString(module, "EDITION");
    long edition = stated == NULL ? -1 : PyLong_AsLong(stated);
    Py_XDECREF(module);
    Py_XDECREF(stated);
    if (edition == EDITION)
        return 1;
    PyErr_SetString(PyExc_ImportError, "built from other sources: install again");
    return 0;
}

static int add_parts(PyObject *module)
{
    return PyModule_AddFunctions(module, recording_functions) < 0
        || PyModule_AddFunctions(module, recording_changes_functions) < 0 || PyModule_AddFunctions(module, columns_functions) < 0
        || PyModule_AddFunctions(module, polymarket_functions) < 0
        || PyModule_AddFunctions(module, mine_functions) < 0 || PyModule_AddFunctions(module, net_functions) < 0
        || PyModule_AddObjectRef(module, "NativeLadder", (PyObject *)&ladder_type) < 0
        || PyModule_AddObjectRef(module, "NativeBookCore", (PyObject *)&book_type) < 0
        || PyModule_AddObjectRef(module, "NativeLevelChanges", (PyObject *)&level_changes_type) < 0
        || PyModule_AddObjectRef(module, "NativeDeltaReader", (PyObject *)&kalshi_reader_type) < 0
        || PyModule_AddObjectRef(module, "NativeRows", (PyObject *)&rows_type) < 0
        || PyModule_AddObjectRef(module, "NativeToldTrades", (PyObject *)&told_trades_type) < 0
        || PyModule_AddObjectRef(module, "NativeReplay", (PyObject *)&replay_type) < 0
        || PyModule_AddObjectRef(module, "NativeChangeReader", (PyObject *)&polymarket_reader_type) < 0 ? -1 : 0;
}

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "predsurv._speedups", "Compiled twins; see predsurv.core.native.", -1, NULL,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__speedups(void)
{
    if (!edition_matches() || state_prepare() < 0 || level_changes_prepare() < 0 || columns_prepare() < 0
        || polymarket_prepare() < 0 || PyType_Ready(&kalshi_reader_type) < 0 || PyType_Ready(&rows_type) < 0 || PyType_Ready(&told_trades_type) < 0
        || PyType_Ready(&replay_type) < 0)
        return NULL;
    PyObject *module = PyModule_Create(&definition);
    if (module != NULL && add_parts(module) < 0)
        Py_CLEAR(module);
    return module;
}
