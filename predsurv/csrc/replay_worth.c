/* What is held, at the marks of engine/account/valuation.py: whether the day's loss may have come to its limit. */

#include "replay.h"

/* The mark of a holding, INT64_MIN where there is none. */
static int64_t mark_of(Replay *self, const Holding *holding)
{
    Instrument *instrument = &self->instruments[holding->instrument];
    int64_t best[2];
    if (instrument->book == NULL || !(side_of_book(instrument, 0)->count || side_of_book(instrument, 1)->count))
        return INT64_MIN;
    for (int side = 0; side < 2; side++)
        best[side] = book_known(instrument->book) ? best_seen(instrument, side)
                                                  : ladder_best_price(side_of_book(instrument, side), INT64_MIN);
    int64_t bid = best[holding->mirrored], ask = best[!holding->mirrored];
    if (holding->mirrored) {
        bid = bid == INT64_MIN ? bid : MICROS - bid;
        ask = ask == INT64_MIN ? ask : MICROS - ask;
    }
    if (bid == INT64_MIN)
        return 0;
    return ask == INT64_MIN || bid < ask ? bid : ask;
}

/* Whether all that is held is worth `floor` at most, by now. */
int worth_too_little(Replay *self)
{
    __int128 total = 0;
    for (Py_ssize_t i = 0; i < self->held_count; i++) {
        const Holding *holding = &self->held[i];
        int64_t mark = mark_of(self, holding);
        total += mark == INT64_MIN ? holding->cost : (__int128)mark * holding->size / MICROS;
    }
    return total <= self->floor;
}

/* hold(floor, step, holdings): what is held as (number, mirrored, size, cost), and the time between two looks at it. */
PyObject *replay_hold(Replay *self, PyObject *args)
{
    PyObject *holdings;
    long long floor, step;
    if (!PyArg_ParseTuple(args, "LLO!", &floor, &step, &PyList_Type, &holdings))
        return NULL;
    Py_ssize_t count = PyList_GET_SIZE(holdings);
    Holding *grown = PyMem_Realloc(self->held, (size_t)count * sizeof(Holding) + 1);
    if (grown == NULL)
        return PyErr_NoMemory();
    self->held = grown;
    self->floor = floor;
    self->step = step > 0 ? step : 1;
    for (self->held_count = 0; self->held_count < count; self->held_count++) {
        Py_ssize_t number;
        int mirrored;
        long long size, cost;
        if (!PyArg_ParseTuple(PyList_GET_ITEM(holdings, self->held_count), "npLL", &number, &mirrored, &size, &cost))
            return NULL;
        if (number < 0 || number >= self->count) {
            PyErr_SetString(PyExc_IndexError, "no instrument has this number");
            return NULL;
        }
        if (self->instruments[number].book == NULL && find_book(self, &self->instruments[number]) < 0)
            return NULL;
        self->held[self->held_count] = (Holding){(int32_t)number, mirrored, size, cost};
    }
    Py_RETURN_NONE;
}
