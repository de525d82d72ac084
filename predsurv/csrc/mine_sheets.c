/* Tables that grow, columns that Python gave, and the functions that the module has for the miner. */

#include "mine.h"
#include "parts.h"

#define FIRST_ROWS 256

Cell *sheet_row(Sheet *self)
{
    if (self->rows == self->room) {
        size_t room = self->room ? 2 * self->room : FIRST_ROWS;
        Cell *grown = PyMem_RawRealloc(self->cells, room * self->width * sizeof(Cell));
        if (grown == NULL)
            return NULL;
        self->cells = grown;
        self->room = room;
    }
    Cell *row = self->cells + self->rows++ * self->width;
    memset(row, 0, self->width * sizeof(Cell));
    return row;
}

Cell *sheet_row_of(Sheet *self, int64_t key)
{
    Cell *row = self->rows ? self->cells + (self->rows - 1) * self->width : NULL;
    if (row != NULL && row[0].i == key)
        return row;
    row = sheet_row(self);
    if (row != NULL)
        row[0].i = key;
    return row;
}

static PyObject *column_of(const Sheet *self, size_t column)
{
    PyObject *made = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(self->rows * sizeof(Cell)));
    if (made == NULL)
        return NULL;
    char *out = PyBytes_AS_STRING(made);
    for (size_t row = 0; row < self->rows; row++)
        memcpy(out + row * sizeof(Cell), self->cells + row * self->width + column, sizeof(Cell));
    return made;
}

PyObject *sheet_columns(Sheet *self)
{
    PyObject *made = PyTuple_New((Py_ssize_t)self->width);
    for (size_t i = 0; made != NULL && i < self->width; i++) {
        PyObject *column = column_of(self, i);
        if (column == NULL)
            Py_CLEAR(made);
        else
            PyTuple_SET_ITEM(made, (Py_ssize_t)i, column);
    }
    sheet_clear(self);
    return made;
}

void sheet_clear(Sheet *self)
{
    PyMem_RawFree(self->cells);
    self->cells = NULL;
    self->rows = self->room = 0;
}

int columns_take(Columns *self, PyObject *columns, Py_ssize_t wanted, Py_ssize_t width)
{
    self->count = 0;
    self->rows = 0;
    if (!PyTuple_Check(columns) || PyTuple_GET_SIZE(columns) != wanted || wanted > COLUMNS_MAX) {
        PyErr_SetString(PyExc_ValueError, "not as many columns as there should be");
        return -1;
    }
    for (; self->count < wanted; self->count++) {
        Py_buffer *view = &self->views[self->count];
        if (PyObject_GetBuffer(PyTuple_GET_ITEM(columns, self->count), view, PyBUF_SIMPLE) < 0)
            return -1;
        if (self->count == 0)
            self->rows = view->len / width;
        if (view->len != self->rows * width) {
            self->count++;
            PyErr_SetString(PyExc_ValueError, "the columns are not of one length");
            return -1;
        }
    }
    return 0;
}

void columns_release(Columns *self)
{
    while (self->count > 0)
        PyBuffer_Release(&self->views[--self->count]);
}

Visits visits_of(const Columns *columns)
{
    return (Visits){
        integers_of(columns, 0), integers_of(columns, 1), integers_of(columns, 2), integers_of(columns, 3),
        integers_of(columns, 4), integers_of(columns, 5), (size_t)columns->rows,
    };
}

PyMethodDef mine_functions[] = {
    {"mine_changes", mine_changes, METH_VARARGS, "Measure an hour of changed levels; see mine/measures/compiled.py."},
    {"mine_books", mine_books, METH_VARARGS, "Measure an hour of book rows; see mine/measures/compiled.py."},
    {"mine_runs", mine_runs, METH_O, "Find the runs of equal texts; see mine/measures/coded_rows.py."},
    {"mine_outcomes", mine_outcomes, METH_VARARGS, "Add up best prices of an hour; see mine/measures/compiled.py."},
    {NULL, NULL, 0, NULL},
};
