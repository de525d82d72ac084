/* One side of a book: what ladder.py does. Levels lie side by side, sorted; there is nothing to hash. */

#include "runs.h"
#include "state.h"

/* What is kept may be wrong now; until somebody asks, nothing more can happen to it. */
static void doubt(Ladder *self)
{
    self->top_count = self->packed_count = -1;
    self->edge = INT64_MAX;
}

/* Note that the first `count` levels are kept. A top that is not full changes with any level added below it. */
static void watch(Ladder *self, Py_ssize_t count)
{
    int64_t edge = count > 0 && count <= self->count ? self->rungs[self->count - count].rank : INT64_MIN;
    if (edge < self->edge)
        self->edge = edge;
}

#define NEAR 16 /* rungs next to the best one, where most changes are */

/* The first rung of at least `rank`. */
static Py_ssize_t place_of(const Ladder *self, int64_t rank)
{
    Py_ssize_t low = 0, high = self->count, floor = high > NEAR ? high - NEAR : 0;
    while (high > floor && self->rungs[high - 1].rank >= rank)
        high--;
    if (high > floor || floor == 0)
        return high;
    while (low < high) {
        Py_ssize_t middle = low + (high - low) / 2;
        if (self->rungs[middle].rank < rank)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int make_room(Ladder *self, Py_ssize_t count)
{
    if (count <= self->room)
        return 0;
    Py_ssize_t room = count + count / 4 + 8;
    Rung *rungs = PyMem_Realloc(self->rungs, (size_t)room * sizeof(Rung));
    if (rungs == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    self->rungs = rungs;
    self->room = room;
    return 0;
}

int ladder_put(Ladder *self, int64_t price, int64_t size)
{
    int64_t rank = self->sign * price;
    Py_ssize_t at = place_of(self, rank), above = self->count - at;
    int held = above > 0 && self->rungs[at].rank == rank;
    if (held && size) {
        if (self->rungs[at].size == size)
            return 0;
        self->rungs[at].size = size;
    } else if (held) {
        memmove(self->rungs + at, self->rungs + at + 1, (size_t)(above - 1) * sizeof(Rung));
        self->count--;
    } else if (size) {
        if (make_room(self, self->count + 1) < 0)
            return -1;
        memmove(self->rungs + at + 1, self->rungs + at, (size_t)above * sizeof(Rung));
        self->rungs[at] = (Rung){rank, size};
        self->count++;
    } else {
        return 0;
    }
    if (rank >= self->edge)
        doubt(self);
    return 0;
}

int ladder_load(Ladder *self, const Rung *rungs, Py_ssize_t count)
{
    if (make_room(self, count) < 0)
        return -1;
    if (count > 0) /* else there may be no rungs at all */
        memcpy(self->rungs, rungs, (size_t)count * sizeof(Rung));
    self->count = count;
    doubt(self);
    return 0;
}

static int numbers_of(PyObject *level, int64_t *price, int64_t *size)
{
    if (!PyTuple_Check(level) || PyTuple_GET_SIZE(level) != 2) {
        PyErr_SetString(PyExc_TypeError, "a level is a tuple of price and size");
        return -1;
    }
    int beyond = 0, beyond_too = 0;
    *price = value_of(PyTuple_GET_ITEM(level, 0), &beyond);
    *size = value_of(PyTuple_GET_ITEM(level, 1), &beyond_too);
    if (beyond || beyond_too)
        PyErr_SetString(PyExc_OverflowError, "64 bits do not hold this number");
    return (*price == -1 || *size == -1) && PyErr_Occurred() ? -1 : 0;
}

/* Take levels that come best first, without empty or equal ones: 1 taken, 0 they do not, -1 an exception. */
static int take_sorted(Ladder *self, PyObject **levels, Py_ssize_t count)
{
    int64_t price, size;
    if (make_room(self, count) < 0)
        return -1;
    for (Py_ssize_t i = 0; i < count; i++) {
        Rung *rung = &self->rungs[count - 1 - i];
        if (numbers_of(levels[i], &price, &size) < 0)
            return -1;
        *rung = (Rung){self->sign * price, size};
        if (size == 0 || (i > 0 && rung->rank >= rung[1].rank))
            return 0;
    }
    self->count = count;
    return 1;
}

static PyObject *ladder_replace(Ladder *self, PyObject *levels)
{
    PyObject *given = PySequence_Fast(levels, "levels are pairs of price and size");
    if (given == NULL)
        return NULL;
    Py_ssize_t count = PySequence_Fast_GET_SIZE(given);
    PyObject **items = PySequence_Fast_ITEMS(given);
    doubt(self);
    self->count = 0;
    int taken = take_sorted(self, items, count);
    int64_t price, size;
    for (Py_ssize_t i = 0; taken == 0 && i < count; i++)
        if (numbers_of(items[i], &price, &size) < 0 || ladder_put(self, price, size) < 0)
            taken = -1;
    Py_DECREF(given);
    return taken < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *ladder_set(Ladder *self, PyObject *const *args, Py_ssize_t count)
{
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "set(price, size)");
        return NULL;
    }
    int64_t price = PyLong_AsLongLong(args[0]), size = PyLong_AsLongLong(args[1]);
    if (((price == -1 || size == -1) && PyErr_Occurred()) || ladder_put(self, price, size) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *level_at(const Ladder *self, Py_ssize_t from_best)
{
    Rung rung = self->rungs[self->count - 1 - from_best];
    PyObject *price = PyLong_FromLongLong(self->sign * rung.rank), *size = PyLong_FromLongLong(rung.size);
    PyObject *level = price != NULL && size != NULL ? PyTuple_New(2) : NULL;
    if (level == NULL) {
        Py_XDECREF(price);
        Py_XDECREF(size);
        return NULL;
    }
    PyTuple_SET_ITEM(level, 0, price);
    PyTuple_SET_ITEM(level, 1, size);
    PyObject_GC_UnTrack(level); /* two numbers are in no cycle: the collector would find that out at some cost */
    return level;
}

static PyObject *first_levels(const Ladder *self, Py_ssize_t count)
{
    PyObject *levels = PyTuple_New(count);
    for (Py_ssize_t i = 0; levels != NULL && i < count; i++) {
        PyObject *level = level_at(self, i);
        if (level == NULL)
            Py_CLEAR(levels);
        else
            PyTuple_SET_ITEM(levels, i, level);
    }
    return levels;
}

PyObject *ladder_best_level(const Ladder *self) { return self->count ? level_at(self, 0) : Py_NewRef(Py_None); }

static PyObject *ladder_best(Ladder *self, PyObject *Py_UNUSED(ignored)) { return ladder_best_level(self); }

static PyObject *ladder_top(Ladder *self, PyObject *wanted)
{
    Py_ssize_t count = PyLong_AsSsize_t(wanted);
    if (count < 0)
        return PyErr_Occurred() ? NULL : PyTuple_New(0);
    if (self->top_count == count)
        return Py_NewRef(self->top);
    PyObject *top = first_levels(self, count < self->count ? count : self->count);
    if (top == NULL)
        return NULL;
    Py_XSETREF(self->top, Py_NewRef(top));
    self->top_count = count;
    watch(self, count);
    return top;
}

static PyObject *ladder_packed(Ladder *self, PyObject *wanted)
{
    Py_ssize_t count = PyLong_AsSsize_t(wanted);
    if (count < 0)
        return PyErr_Occurred() ? NULL : PyBytes_FromStringAndSize("", 0);
    if (self->packed_count == count)
        return Py_NewRef(self->packed);
    Py_ssize_t held = count < self->count ? count : self->count;
    PyObject *packed = PyBytes_FromStringAndSize(NULL, held * 2 * (Py_ssize_t)sizeof(int64_t));
    if (packed == NULL)
        return NULL;
    char *place = PyBytes_AS_STRING(packed);
    for (Py_ssize_t i = 0; i < held; i++, place += 2 * sizeof(int64_t)) {
        Rung rung = self->rungs[self->count - 1 - i];
        int64_t level[] = {self->sign * rung.rank, rung.size};
        memcpy(place, level, sizeof level);
    }
    Py_XSETREF(self->packed, Py_NewRef(packed));
    self->packed_count = count;
    watch(self, count);
    return packed;
}

static PyObject *ladder_levels(Ladder *self, PyObject *Py_UNUSED(ignored))
{
    return first_levels(self, self->count);
}

int64_t ladder_size(const Ladder *self, int64_t price)
{
    Py_ssize_t at = place_of(self, self->sign * price);
    return at < self->count && self->rungs[at].rank == self->sign * price ? self->rungs[at].size : 0;
}

void ladder_exchange(Ladder *self, Rung **other, Py_ssize_t *count, Py_ssize_t *room)
{
    Ladder held = *self;
    self->rungs = *other;
    self->count = *count;
    self->room = *room;
    *other = held.rungs;
    *count = held.count;
    *room = held.room;
    doubt(self);
}

static PyObject *ladder_size_at(Ladder *self, PyObject *given)
{
    int64_t price = PyLong_AsLongLong(given);
    if (price == -1 && PyErr_Occurred())
        return NULL;
    return PyLong_FromLongLong(ladder_size(self, price));
}

static PyObject *ladder_depth_until(Ladder *self, PyObject *given)
{
    int64_t price = PyLong_AsLongLong(given);
    if (price == -1 && PyErr_Occurred())
        return NULL;
    PyObject *total = PyLong_FromLong(0);
    for (Py_ssize_t at = place_of(self, self->sign * price); total != NULL && at < self->count; at++) {
        PyObject *size = PyLong_FromLongLong(self->rungs[at].size);
        Py_XSETREF(total, size == NULL ? NULL : PyNumber_Add(total, size));
        Py_XDECREF(size);
    }
    return total;
}

static Py_ssize_t ladder_length(Ladder *self) { return self->count; }

static PyObject *ladder_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(keywords))
{
    Ladder *self = (Ladder *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->sign = 1;
        doubt(self);
    }
    return (PyObject *)self;
}

static int ladder_init(Ladder *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"descending", NULL};
    int descending;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "$p", names, &descending))
        return -1;
    doubt(self);
    self->count = 0;
    self->sign = descending ? 1 : -1;
    return 0;
}

static void ladder_dealloc(Ladder *self)
{
    Py_CLEAR(self->top);
    Py_CLEAR(self->packed);
    PyMem_Free(self->rungs);
    free_instance(self);
}

static PyMethodDef methods[] = {
    {"set", (PyCFunction)(void (*)(void))ladder_set, METH_FASTCALL, "Make size the whole size at price."},
    {"replace", (PyCFunction)ladder_replace, METH_O, "Forget everything and hold levels."},
    {"best", (PyCFunction)ladder_best, METH_NOARGS, "Return the best level, or None."},
    {"top", (PyCFunction)ladder_top, METH_O, "Return up to count levels best first."},
    {"packed", (PyCFunction)ladder_packed, METH_O, "Return up to count levels best first, packed."},
    {"levels", (PyCFunction)ladder_levels, METH_NOARGS, "Return every level, best first."},
    {"size_at", (PyCFunction)ladder_size_at, METH_O, "Return the size at price, 0 when there is no level."},
    {"depth_until", (PyCFunction)ladder_depth_until, METH_O, "Return the total size from the best level to price."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot ladder_slots[] = {
    {Py_tp_doc, "One side of a book; see ladder.py."},
    {Py_tp_new, ladder_new},
    {Py_tp_init, ladder_init},
    {Py_tp_dealloc, ladder_dealloc},
    {Py_tp_methods, methods},
    {Py_sq_length, ladder_length},
    {0, NULL},
};

PyType_Spec ladder_spec = {
    .name = "predsurv._speedups.NativeLadder",
    .basicsize = sizeof(Ladder),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = ladder_slots,
};
