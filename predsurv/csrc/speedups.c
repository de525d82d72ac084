/* predsurv._speedups: the compiled twins of the hottest Python, in one module. */

#include "edition.h"
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

/* Find the types of predsurv.core and where their fields lie; -1 with an exception. */
static int core_prepare(Module *self)
{
    self->key = core_type("predsurv.core.ids", "InstrumentKey");
    self->delta = core_type("predsurv.core.events", "BookDelta");
    self->snapshot = core_type("predsurv.core.events", "BookSnapshot");
    self->trade = core_type("predsurv.core.events", "Trade");
    self->top = core_type("predsurv.core.records", "BookTop");
    self->bid = PyUnicode_InternFromString("bid");
    self->ask = PyUnicode_InternFromString("ask");
    self->buy = PyUnicode_InternFromString("buy");
    self->sell = PyUnicode_InternFromString("sell");
    self->ts_recv = PyUnicode_InternFromString("ts_recv");
    self->start = PyUnicode_InternFromString("start");
    if (self->key == NULL || self->delta == NULL || self->snapshot == NULL || self->trade == NULL || self->top == NULL || self->bid == NULL
        || self->ask == NULL || self->buy == NULL || self->sell == NULL || self->ts_recv == NULL || self->start == NULL)
        return -1;
    int found = AT(self->key_at, self->key, instrument_id) && AT(self->delta_at, self->delta, key) && AT(self->delta_at, self->delta, ts_recv)
        && AT(self->delta_at, self->delta, ts_venue) && AT(self->delta_at, self->delta, epoch)
        && AT(self->delta_at, self->delta, seq) && AT(self->delta_at, self->delta, side)
        && AT(self->delta_at, self->delta, price) && AT(self->delta_at, self->delta, size)
        && AT(self->snapshot_at, self->snapshot, key) && AT(self->snapshot_at, self->snapshot, ts_recv)
        && AT(self->snapshot_at, self->snapshot, ts_venue) && AT(self->snapshot_at, self->snapshot, epoch)
        && AT(self->snapshot_at, self->snapshot, seq) && AT(self->snapshot_at, self->snapshot, bids)
        && AT(self->snapshot_at, self->snapshot, asks) && AT(self->trade_at, self->trade, key)
        && AT(self->trade_at, self->trade, ts_recv) && AT(self->top_at, self->top, key)
        && AT(self->top_at, self->top, ts_recv) && AT(self->top_at, self->top, ts_venue)
        && AT(self->top_at, self->top, bids) && AT(self->top_at, self->top, asks)
        && AT(self->top_at, self->top, trusted);
    return found ? 0 : -1;
}

/* Make the types of this module and add them to it; -1 with an exception. */
static int add_types(PyObject *module)
{
    Module *self = PyModule_GetState(module);
    const struct { PyTypeObject **place; PyType_Spec *spec; } types[] = {
        {&self->ladder, &ladder_spec}, {&self->book, &book_spec}, {&self->level_changes, &level_changes_spec},
        {&self->packed_book, &packed_book_spec},
        {&self->kalshi_reader, &kalshi_reader_spec}, {&self->polymarket_reader, &polymarket_reader_spec},
        {&self->rows, &rows_spec}, {&self->told_trades, &told_trades_spec}, {&self->replay, &replay_spec},
        {&self->gamma_parser, &gamma_parser_spec}, {&self->line_writer, &line_writer_spec},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        *types[i].place = (PyTypeObject *)PyType_FromModuleAndSpec(module, types[i].spec, NULL);
        if (*types[i].place == NULL || PyModule_AddType(module, *types[i].place) < 0)
            return -1;
    }
    return 0;
}

static int execute(PyObject *module)
{
    PyMethodDef *const functions[] = {recording_functions, columns_functions, mine_functions, net_functions, gamma_functions};
    if (!edition_matches() || core_prepare(PyModule_GetState(module)) < 0
        || trades_prepare(PyModule_GetState(module)) < 0 || add_types(module) < 0)
        return -1;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (PyModule_AddFunctions(module, functions[i]) < 0)
            return -1;
    return 0;
}

static int traverse(PyObject *module, visitproc visit, void *arg)
{
    Module *self = PyModule_GetState(module);
    for (PyObject **each = (PyObject **)self; each < self->tokens; each++) /* texts and numbers are in no cycle */
        Py_VISIT(*each);
    return 0;
}

static int clear(PyObject *module)
{
    Module *self = PyModule_GetState(module);
    for (PyObject **each = (PyObject **)self; each < self->prices + PRICES; each++)
        Py_CLEAR(*each);
    return 0;
}

static void release(void *module) { clear(module); }

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, execute},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

struct PyModuleDef speedups_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "predsurv._speedups",
    .m_doc = "Compiled twins; see predsurv.core.native.",
    .m_size = sizeof(Module),
    .m_slots = slots,
    .m_traverse = traverse,
    .m_clear = clear,
    .m_free = release,
};

PyMODINIT_FUNC PyInit__speedups(void) { return PyModuleDef_Init(&speedups_definition); }
