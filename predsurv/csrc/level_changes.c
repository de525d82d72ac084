/* Level changes as rows of native integers: what core/level_changes.py's PythonLevelChanges does. */

#include "level_changes.h"

#include "parts.h"
#include "runs.h"

#define KNOWN 256 /* keys counted side by side */

int level_changes_grow(LevelChanges *self)
{
    Py_ssize_t room = 2 * self->room + 8;
    LevelChange *rows = PyMem_Realloc(self->rows, (size_t)room * sizeof(LevelChange));
    if (rows == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    self->rows = rows;
    self->room = room;
    return 0;
}

LevelChanges *level_changes_new(const Module *module, PyObject *ts_recv, PyObject *epoch, Py_ssize_t room)
{
    int beyond = 0, beyond_too = 0;
    int64_t ts = value_of(ts_recv, &beyond), number = value_of(epoch, &beyond_too);
    if (PyErr_Occurred())
        return NULL;
    if (beyond || beyond_too) {
        PyErr_SetString(PyExc_OverflowError, "64 bits do not hold this number");
        return NULL;
    }
    LevelChanges *self = PyObject_New(LevelChanges, module->level_changes);
    if (self == NULL)
        return NULL;
    self->module = module;
    self->rows = PyMem_Malloc((size_t)(room > 0 ? room : 1) * sizeof(LevelChange));
    self->count = 0;
    self->room = self->rows == NULL ? 0 : room;
    self->ts_recv = Py_NewRef(ts_recv);
    self->epoch = Py_NewRef(epoch);
    self->ts = ts;
    self->epoch_number = number;
    if (self->rows == NULL) {
        Py_DECREF(self);
        PyErr_NoMemory();
        return NULL;
    }
    return self;
}

LevelChanges *level_changes_slice(const LevelChanges *self, Py_ssize_t start, Py_ssize_t end)
{
    LevelChanges *made = level_changes_new(self->module, self->ts_recv, self->epoch, end - start);
    for (Py_ssize_t i = start; made != NULL && i < end; i++)
        if (level_changes_add(made, self->rows[i]) < 0)
            Py_CLEAR(made);
    return made;
}

static PyObject *number_or_none(int64_t value)
{
    return value == ABSENT ? Py_NewRef(Py_None) : PyLong_FromLongLong(value);
}

PyObject *level_change_event(const Module *module, PyObject *ts_recv, PyObject *epoch, const LevelChange *row)
{
    PyObject *ts_venue = number_or_none(row->ts_venue), *seq = number_or_none(row->seq), *delta = NULL;
    PyObject *price = PyLong_FromLongLong(row->price), *size = PyLong_FromLongLong(row->size);
    if (ts_venue != NULL && seq != NULL && price != NULL && size != NULL) {
        PyObject *given[] = {row->key, ts_recv, ts_venue, epoch, seq, row->ask ? module->ask : module->bid, price, size};
        delta = PyObject_Vectorcall((PyObject *)module->delta, given, 8, NULL);
    }
    Py_XDECREF(ts_venue);
    Py_XDECREF(seq);
    Py_XDECREF(price);
    Py_XDECREF(size);
    return delta;
}

static PyObject *changes_iter(LevelChanges *self)
{
    PyObject *deltas = PyList_New(self->count);
    for (Py_ssize_t i = 0; deltas != NULL && i < self->count; i++) {
        PyObject *delta = level_change_event(self->module, self->ts_recv, self->epoch, &self->rows[i]);
        if (delta == NULL)
            Py_CLEAR(deltas);
        else
            PyList_SET_ITEM(deltas, i, delta);
    }
    PyObject *iterator = deltas == NULL ? NULL : PyObject_GetIter(deltas);
    Py_XDECREF(deltas);
    return iterator;
}

static Py_ssize_t changes_length(LevelChanges *self) { return self->count; }

typedef struct { PyObject *key; Py_ssize_t count; } Counted;

static int add_count(PyObject *counts, const Counted *counted)
{
    PyObject *before = counted->key == NULL ? NULL : PyDict_GetItemWithError(counts, counted->key);
    if (counted->key == NULL || (before == NULL && PyErr_Occurred()))
        return counted->key == NULL ? 0 : -1;
    PyObject *more = PyLong_FromSsize_t(counted->count);
    if (before != NULL && more != NULL)
        Py_SETREF(more, PyNumber_Add(before, more));
    int failed = more == NULL || PyDict_SetItem(counts, counted->key, more) < 0;
    Py_XDECREF(more);
    return failed ? -1 : 0;
}

static PyObject *changes_count(LevelChanges *self, PyObject *counts)
{
    Counted known[KNOWN] = {{NULL, 0}};
    int failed = 0;
    if (!PyDict_Check(counts)) {
        PyErr_SetString(PyExc_TypeError, "count(counts: dict)");
        return NULL;
    }
    for (Py_ssize_t i = 0; !failed && i < self->count; i++) {
        PyObject *key = self->rows[i].key;
        Counted *place = &known[((uintptr_t)key >> 4) % KNOWN];
        if (place->key != key) {
            failed = add_count(counts, place) < 0;
            *place = (Counted){key, 0};
        }
        place->count++;
    }
    for (int i = 0; !failed && i < KNOWN; i++)
        failed = add_count(counts, &known[i]) < 0;
    return failed ? NULL : Py_NewRef(Py_None);
}

static PyObject *changes_ts_recv(LevelChanges *self, void *Py_UNUSED(closure)) { return Py_NewRef(self->ts_recv); }

static PyObject *changes_ts_venue(LevelChanges *self, void *Py_UNUSED(closure))
{
    return number_or_none(self->count > 0 ? self->rows[0].ts_venue : ABSENT);
}

static int same(PyObject *a, PyObject *b) { return a == b ? 1 : PyObject_RichCompareBool(a, b, Py_EQ); }

/* The number in a field, `absent` allowed for None. -1 with an exception. */
static int take_number(PyObject *number, int maybe, int64_t *value)
{
    int beyond = 0;
    *value = maybe && number == Py_None ? ABSENT : value_of(number, &beyond);
    if (beyond)
        PyErr_SetString(PyExc_OverflowError, "64 bits do not hold this number");
    return *value == -1 && PyErr_Occurred() ? -1 : 0;
}

static int add_delta(LevelChanges *self, PyObject *delta)
{
    const Module *module = self->module;
    int alike = same(slot(delta, module->delta_at.ts_recv), self->ts_recv);
    alike = alike == 1 ? same(slot(delta, module->delta_at.epoch), self->epoch) : alike;
    int ask = same(slot(delta, module->delta_at.side), module->ask);
    if (alike < 0 || ask < 0)
        return -1;
    if (!alike) {
        PyErr_SetString(PyExc_ValueError, "changes are of one connection and one time");
        return -1;
    }
    LevelChange change = {.key = slot(delta, module->delta_at.key), .ask = ask};
    if (take_number(slot(delta, module->delta_at.ts_venue), 1, &change.ts_venue) < 0
        || take_number(slot(delta, module->delta_at.seq), 1, &change.seq) < 0
        || take_number(slot(delta, module->delta_at.price), 0, &change.price) < 0
        || take_number(slot(delta, module->delta_at.size), 0, &change.size) < 0)
        return -1;
    return level_changes_add(self, change);
}

/* Changes out of a tuple of deltas. NULL with an exception. */
static LevelChanges *of_deltas(const Module *module, PyObject *deltas)
{
    LevelChanges *made = NULL;
    Py_ssize_t count = PyTuple_GET_SIZE(deltas);
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *delta = PyTuple_GET_ITEM(deltas, i);
        if (!Py_IS_TYPE(delta, module->delta)) {
            PyErr_SetString(PyExc_TypeError, "changes are deltas");
            Py_CLEAR(made);
            return NULL;
        }
        if (made == NULL)
            made = level_changes_new(module, slot(delta, module->delta_at.ts_recv), slot(delta, module->delta_at.epoch), count);
        if (made == NULL || add_delta(made, delta) < 0) {
            Py_CLEAR(made);
            return NULL;
        }
    }
    if (made == NULL)
        PyErr_SetString(PyExc_ValueError, "changes are of one connection and one time");
    return made;
}

static PyObject *changes_make(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    PyObject *given;
    if (!PyArg_ParseTuple(args, "O", &given) || (keywords != NULL && PyDict_GET_SIZE(keywords) > 0))
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "LevelChanges(deltas)");
    const Module *module = module_of(type);
    PyObject *deltas = module == NULL ? NULL : PySequence_Tuple(given); /* nobody else can change it */
    LevelChanges *made = deltas == NULL ? NULL : of_deltas(module, deltas);
    Py_XDECREF(deltas);
    return (PyObject *)made;
}

static void changes_dealloc(LevelChanges *self)
{
    for (Py_ssize_t i = 0; i < self->count; i++)
        Py_DECREF(self->rows[i].key);
    PyMem_Free(self->rows);
    Py_XDECREF(self->ts_recv);
    Py_XDECREF(self->epoch);
    free_instance(self);
}

static PyMethodDef methods[] = {
    {"count", (PyCFunction)changes_count, METH_O, "Add the number of changes of each instrument to counts."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef properties[] = {
    {"ts_recv", (getter)changes_ts_recv, NULL, "When they were received, ns UTC.", NULL},
    {"ts_venue", (getter)changes_ts_venue, NULL, "The venue's time of the first, ns UTC, or None.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Level changes of one time; see core/level_changes.py."},
    {Py_tp_new, changes_make},
    {Py_tp_dealloc, changes_dealloc},
    {Py_tp_free, PyObject_Free},
    {Py_tp_iter, changes_iter},
    {Py_tp_methods, methods},
    {Py_tp_getset, properties},
    {Py_sq_length, changes_length},
    {0, NULL},
};

PyType_Spec level_changes_spec = {
    .name = "predsurv._speedups.NativeLevelChanges",
    .basicsize = sizeof(LevelChanges),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};
