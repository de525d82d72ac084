/* NativeReplay as Python sees it: instruments, files, and what Python has to see of them. */

#include "parts.h"
#include "replay.h"

PyObject *replay_run(Replay *self, PyObject *args);
PyObject *replay_take(Replay *self, PyObject *ignored);

static int number_from(const Replay *self, Py_ssize_t given, int32_t *number)
{
    if (given < 0 || given >= self->count) {
        PyErr_SetString(PyExc_IndexError, "no instrument has this number");
        return -1;
    }
    *number = (int32_t)given;
    return 0;
}

static PyObject *replay_add_instrument(Replay *self, PyObject *key)
{
    if (self->count == self->room) {
        Py_ssize_t room = 2 * self->room + 64;
        Instrument *grown = room > INT32_MAX ? NULL : PyMem_Realloc(self->instruments, (size_t)room * sizeof(Instrument));
        if (grown == NULL)
            return PyErr_NoMemory();
        self->instruments = grown;
        self->room = room;
    }
    Instrument *made = &self->instruments[self->count];
    memset(made, 0, sizeof *made);
    made->key = Py_NewRef(key);
    made->primary = (int32_t)self->count;
    made->mirror = made->asked[0] = made->asked[1] = made->asked[2] = -1;
    made->bid = made->ask = INT64_MIN;
    return PyLong_FromSsize_t(self->count++);
}

/* relate(number, primary, mirror, selected, asked, asked, asked): what an instrument's market says; -1 for none. */
static PyObject *replay_relate(Replay *self, PyObject *args)
{
    Py_ssize_t given, primary, mirror;
    unsigned long long selected;
    int32_t number, other;
    int asked[ASKED];
    if (!PyArg_ParseTuple(args, "nnnKiii", &given, &primary, &mirror, &selected, &asked[0], &asked[1], &asked[2]))
        return NULL;
    if (number_from(self, given, &number) < 0 || number_from(self, primary, &other) < 0)
        return NULL;
    if (asked[0] >= self->group_count || asked[1] >= self->group_count || asked[2] >= self->group_count) {
        PyErr_SetString(PyExc_IndexError, "no group has this number");
        return NULL;
    }
    Instrument *instrument = &self->instruments[number];
    instrument->primary = other;
    instrument->mirror = -1;
    if (mirror >= 0 && number_from(self, mirror, &instrument->mirror) < 0)
        return NULL;
    instrument->selected = selected;
    memcpy(instrument->asked, asked, sizeof asked);
    Py_RETURN_NONE;
}

static int join_group(Replay *self, int32_t number, int32_t group)
{
    Instrument *instrument = &self->instruments[number];
    for (int i = 0; i < instrument->group_count; i++)
        if (instrument->groups[i] == group)
            return 0;
    if (instrument->group_count == GROUPS_MAX) {
        PyErr_SetString(PyExc_OverflowError, "an instrument is in too many groups");
        return -1;
    }
    instrument->groups[instrument->group_count++] = group;
    Group *sums = &self->groups[group];
    sums->members++;
    sums->bids += instrument->bid == INT64_MIN ? 0 : instrument->bid;
    sums->asks += instrument->ask == INT64_MIN ? 0 : instrument->ask;
    sums->missing += instrument->ask == INT64_MIN;
    return 0;
}

static void leave_group(Replay *self, int32_t group)
{
    for (Py_ssize_t i = 0; i < self->count; i++) {
        Instrument *instrument = &self->instruments[i];
        int kept = 0;
        for (int at = 0; at < instrument->group_count; at++)
            if (instrument->groups[at] != group)
                instrument->groups[kept++] = instrument->groups[at];
        instrument->group_count = kept;
    }
    memset(&self->groups[group], 0, sizeof(Group));
}

/* group(number, instruments, whole): make these, and no others, the group of this number; the next new one makes it. */
static PyObject *replay_group(Replay *self, PyObject *args)
{
    Py_ssize_t group;
    PyObject *members;
    int whole;
    if (!PyArg_ParseTuple(args, "nO!p", &group, &PyList_Type, &members, &whole))
        return NULL;
    if (group < 0 || group > self->group_count || group >= INT32_MAX) {
        PyErr_SetString(PyExc_IndexError, "no group has this number");
        return NULL;
    }
    if (group == self->group_room) {
        Group *grown = PyMem_Realloc(self->groups, (size_t)(2 * group + 64) * sizeof(Group));
        if (grown == NULL)
            return PyErr_NoMemory();
        self->groups = grown;
        self->group_room = 2 * group + 64;
    }
    if (group == self->group_count) {
        memset(&self->groups[group], 0, sizeof(Group));
        self->group_count++;
    } else {
        leave_group(self, (int32_t)group);
    }
    self->groups[group].whole = whole;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(members); i++) {
        int32_t number;
        Py_ssize_t given = PyLong_AsSsize_t(PyList_GET_ITEM(members, i));
        if ((given == -1 && PyErr_Occurred()) || number_from(self, given, &number) < 0
            || join_group(self, number, (int32_t)group) < 0)
            return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *replay_add_cursor(Replay *self, PyObject *given)
{
    int rows = Py_IS_TYPE(given, self->module->rows);
    if ((!rows && !PyList_Check(given)) || (rows && !rows_ready((Rows *)given))
        || self->cursor_count == CURSORS_MAX) {
        PyErr_SetString(PyExc_TypeError, "sorted rows or a list of events, and not too many of them");
        return NULL;
    }
    Cursor *made = &self->cursors[self->cursor_count++];
    memset(made, 0, sizeof *made);
    if (rows)
        made->rows = (Rows *)Py_NewRef(given);
    else
        made->events = Py_NewRef(given);
    self->next = NULL;
    Py_RETURN_NONE;
}

static int side_from(PyObject *text)
{
    return PyUnicode_CompareWithASCIIString(text, "ask") == 0 ? SIDE_ASK : SIDE_BID;
}

static int add_places(Instrument *instrument, PyObject *places)
{
    Py_ssize_t count = PyList_GET_SIZE(places);
    if (count > instrument->place_room) {
        Place *grown = PyMem_Realloc(instrument->places, (size_t)count * sizeof(Place));
        if (grown == NULL)
            return PyErr_NoMemory() == NULL ? -1 : 0;
        instrument->places = grown;
        instrument->place_room = count;
    }
    for (instrument->place_count = 0; instrument->place_count < count; instrument->place_count++) {
        PyObject *side;
        int through;
        long long price;
        if (!PyArg_ParseTuple(PyList_GET_ITEM(places, instrument->place_count), "ULp", &side, &price, &through))
            return -1;
        instrument->places[instrument->place_count] = (Place){price, side_from(side), through};
    }
    return 0;
}

static int add_taken(Instrument *instrument, PyObject *taken)
{
    Py_ssize_t count = PyList_GET_SIZE(taken);
    if (count > instrument->taken_room) {
        Taken *grown = PyMem_Realloc(instrument->taken, (size_t)count * sizeof(Taken));
        if (grown == NULL)
            return PyErr_NoMemory() == NULL ? -1 : 0;
        instrument->taken = grown;
        instrument->taken_room = count;
    }
    for (instrument->taken_count = 0; instrument->taken_count < count; instrument->taken_count++) {
        PyObject *side;
        long long price, size;
        if (!PyArg_ParseTuple(PyList_GET_ITEM(taken, instrument->taken_count), "ULL", &side, &price, &size))
            return -1;
        instrument->taken[instrument->taken_count] = (Taken){price, size, side_from(side)};
    }
    return 0;
}

static int add_awaited(Instrument *instrument, PyObject *awaited)
{
    Py_ssize_t count = PyList_GET_SIZE(awaited);
    if (count > instrument->awaited_room) {
        Awaited *grown = PyMem_Realloc(instrument->awaited, (size_t)count * sizeof(Awaited));
        if (grown == NULL)
            return PyErr_NoMemory() == NULL ? -1 : 0;
        instrument->awaited = grown;
        instrument->awaited_room = count;
    }
    for (instrument->awaited_count = 0; instrument->awaited_count < count; instrument->awaited_count++) {
        PyObject *bounds;
        Awaited *made = &instrument->awaited[instrument->awaited_count];
        if (!PyArg_ParseTuple(PyList_GET_ITEM(awaited, instrument->awaited_count), "iO", &made->strategy, &bounds))
            return -1;
        made->nothing = bounds == Py_None;
        if (!made->nothing && bounds_read(&made->bounds, bounds) < 0)
            return -1;
    }
    return 0;
}

static int heed_entry(Replay *self, PyObject *entry)
{
    Py_ssize_t given;
    int heeded;
    unsigned long long engaged;
    PyObject *places, *taken, *awaited;
    int32_t number;
    if (!PyArg_ParseTuple(entry, "niKO!O!O!", &given, &heeded, &engaged, &PyList_Type, &places, &PyList_Type, &taken,
                          &PyList_Type, &awaited)
        || number_from(self, given, &number) < 0)
        return -1;
    Instrument *instrument = &self->instruments[number];
    instrument->heeded = (uint8_t)heeded;
    instrument->engaged = engaged;
    if (add_places(instrument, places) < 0 || add_taken(instrument, taken) < 0 || add_awaited(instrument, awaited) < 0)
        return -1;
    groups_follow(self, instrument);
    return 0;
}

/* heed(entries, unheard, blocked): (number, heeded, engaged, places, taken, awaited) of each instrument of which any is
   another than before; `unheard` are the strategies that wait for nothing else, a bit for each. `blocked`: none is
   called. */
static PyObject *replay_heed(Replay *self, PyObject *args)
{
    PyObject *entries;
    unsigned long long unheard;
    int blocked;
    if (!PyArg_ParseTuple(args, "O!Kp", &PyList_Type, &entries, &unheard, &blocked))
        return NULL;
    self->unheard = unheard;
    self->blocked = (uint64_t)blocked;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(entries); i++)
        if (heed_entry(self, PyList_GET_ITEM(entries, i)) < 0)
            return NULL;
    Py_RETURN_NONE;
}

/* touch(number): the book was changed by Python; with a gap its next snapshot goes to Python. */
static PyObject *replay_gapped(Replay *self, PyObject *given)
{
    Py_ssize_t number = PyLong_AsSsize_t(given);
    int32_t known;
    if ((number == -1 && PyErr_Occurred()) || number_from(self, number, &known) < 0)
        return NULL;
    self->instruments[known].gapped = 1;
    self->touched = known;
    Py_RETURN_NONE;
}

static PyObject *replay_drain(Replay *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *made = Py_BuildValue("nL", self->skipped, (long long)self->last);
    self->skipped = 0;
    return made;
}

static PyObject *replay_time(Replay *self, void *Py_UNUSED(ignored))
{
    return self->next == NULL ? Py_NewRef(Py_None) : PyLong_FromLongLong(self->next->ts);
}

static PyObject *replay_foreign(Replay *self, void *Py_UNUSED(ignored))
{
    return PyBool_FromLong(self->next != NULL && self->next->events != NULL);
}

static PyObject *replay_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    Module *module = module_of(type);
    PyObject *made = module == NULL ? NULL : PyType_GenericNew(type, args, keywords);
    if (made != NULL)
        ((Replay *)made)->module = module;
    return made;
}

static int replay_init(Replay *self, PyObject *args, PyObject *Py_UNUSED(keywords))
{
    PyObject *books, *states, *filters, *told, *direct = NULL;
    int best_before;
    if (!PyArg_ParseTuple(args, "O!O!O!O!p|O!", &PyDict_Type, &books, &PyDict_Type, &states, &PyTuple_Type, &filters,
                          &PyTuple_Type, &told, &best_before, &PyTuple_Type, &direct)
        || told_check(self->module, told) < 0 || events_prepare(self->module) < 0)
        return -1;
    if (PyTuple_GET_SIZE(filters) > STRATEGIES_MAX || self->books != NULL) {
        PyErr_SetString(PyExc_ValueError, "made once, for fewer strategies");
        return -1;
    }
    self->strategies = (int)PyTuple_GET_SIZE(filters);
    for (int i = 0; i < self->strategies; i++)
        if (filter_read(&self->filters[i], PyTuple_GET_ITEM(filters, i)) < 0)
            return -1;
    self->touched = -1;
    self->until = INT64_MAX;
    self->books = Py_NewRef(books);
    self->states = Py_NewRef(states);
    self->told = Py_NewRef(told);
    self->best_before = best_before;
    return direct == NULL ? 0 : calls_read(self, direct);
}

static void replay_dealloc(Replay *self)
{
    for (Py_ssize_t i = 0; i < self->count; i++) {
        Py_CLEAR(self->instruments[i].key);
        Py_CLEAR(self->instruments[i].state);
        Py_CLEAR(self->instruments[i].book);
        PyMem_Free(self->instruments[i].places);
        PyMem_Free(self->instruments[i].taken);
        PyMem_Free(self->instruments[i].awaited);
    }
    for (int i = 0; i < self->cursor_count; i++) {
        Py_CLEAR(self->cursors[i].rows);
        Py_CLEAR(self->cursors[i].events);
    }
    PyMem_Free(self->instruments);
    PyMem_Free(self->groups);
    PyMem_Free(self->held);
    PyMem_Free(self->spare[0].rungs);
    PyMem_Free(self->spare[1].rungs);
    Py_CLEAR(self->books);
    Py_CLEAR(self->states);
    Py_CLEAR(self->told);
    calls_clear(self);
    free_instance(self);
}

static PyMethodDef replay_methods[] = {
    {"add_instrument", (PyCFunction)replay_add_instrument, METH_O, "Add an instrument; return its number."},
    {"relate", (PyCFunction)replay_relate, METH_VARARGS, "Set primary, mirror and selection of an instrument."},
    {"group", (PyCFunction)replay_group, METH_VARARGS, "Set which instruments are a group."},
    {"add_cursor", (PyCFunction)replay_add_cursor, METH_O, "Add a file's rows, or a list of ordered events."},
    {"heed", (PyCFunction)replay_heed, METH_VARARGS, "Set which rows Python has to see beside those of filters."},
    {"gapped", (PyCFunction)replay_gapped, METH_O, "Say that a gap began."},
    {"hold", (PyCFunction)replay_hold, METH_VARARGS, "Set what is held, and what it may not be worth less than."},
    {"run", (PyCFunction)replay_run, METH_VARARGS, "Fold rows before a time until Python has to see one."},
    {"take", (PyCFunction)replay_take, METH_NOARGS, "Take the next event, whatever it is."},
    {"drain", (PyCFunction)replay_drain, METH_NOARGS, "Take the counts of what was folded."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef replay_properties[] = {
    {"time", (getter)replay_time, NULL, "Time of what is next, None when that is not known.", NULL},
    {"foreign", (getter)replay_foreign, NULL, "Whether what is next is no row.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot replay_slots[] = {
    {Py_tp_doc, "A replay of recorded rows; see trade/column_replay.py."},
    {Py_tp_new, replay_new},
    {Py_tp_init, replay_init},
    {Py_tp_dealloc, replay_dealloc},
    {Py_tp_methods, replay_methods},
    {Py_tp_getset, replay_properties},
    {0, NULL},
};

PyType_Spec replay_spec = {
    .name = "predsurv._speedups.NativeReplay",
    .basicsize = sizeof(Replay),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = replay_slots,
};
