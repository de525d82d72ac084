/* Levels that lie one after the other, as columns side by side: what a row of book tops is on disk. */

#include "columns.h"

typedef struct { const char *counts, *prices, *sizes; Py_ssize_t rows; } Sides;

static int32_t count_at(const Sides *sides, Py_ssize_t row)
{
    int32_t count;
    memcpy(&count, sides->counts + row * (Py_ssize_t)sizeof count, sizeof count);
    return count;
}

/* Whether the counts say how many prices or sizes there are. */
static int agree(const Sides *sides, Py_ssize_t bytes)
{
    Py_ssize_t left = bytes / (Py_ssize_t)sizeof(int64_t);
    for (Py_ssize_t row = 0; row < sides->rows; row++) {
        int32_t count = count_at(sides, row);
        if (count < 0 || count > left)
            return 0;
        left -= count;
    }
    return left == 0 && bytes % (Py_ssize_t)sizeof(int64_t) == 0;
}

/* Which rows have a level, bit by bit from the lowest; None when all have. */
static PyObject *held_at(const Sides *sides, Py_ssize_t level)
{
    PyObject *bits = PyBytes_FromStringAndSize(NULL, (sides->rows + 7) / 8);
    Py_ssize_t held = 0;
    if (bits == NULL)
        return NULL;
    unsigned char *content = (unsigned char *)PyBytes_AS_STRING(bits);
    memset(content, 0, (size_t)((sides->rows + 7) / 8));
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t row = 0; row < sides->rows; row++)
        if (count_at(sides, row) > level) {
            content[row / 8] |= (unsigned char)(1u << row % 8);
            held++;
        }
    Py_END_ALLOW_THREADS
    if (held == sides->rows)
        Py_SETREF(bits, Py_NewRef(Py_None));
    return bits;
}

/* Copy every level to its place; `columns` are prices, then sizes, zeroed. */
static void fill(const Sides *sides, char *const columns[], Py_ssize_t levels)
{
    const Py_ssize_t width = sizeof(int64_t);
    const char *price = sides->prices, *size = sides->sizes;
    for (Py_ssize_t row = 0; row < sides->rows; row++) {
        int32_t count = count_at(sides, row);
        for (Py_ssize_t level = 0; level < count; level++, price += width, size += width) {
            if (level >= levels)
                continue;
            memcpy(columns[level] + row * width, price, (size_t)width);
            memcpy(columns[levels + level] + row * width, size, (size_t)width);
        }
    }
}

static PyObject *spread_out(const Sides *sides, Py_ssize_t levels)
{
    PyObject *made = PyList_New(0);
    char **columns = PyMem_Calloc((size_t)(2 * levels + 1), sizeof(char *));
    int failed = made == NULL || columns == NULL;
    if (columns == NULL)
        PyErr_NoMemory();
    for (Py_ssize_t i = 0; !failed && i < 2 * levels; i++) {
        PyObject *held = i < levels ? held_at(sides, i) : Py_NewRef(PyTuple_GET_ITEM(PyList_GET_ITEM(made, i - levels), 0));
        PyObject *content = PyBytes_FromStringAndSize(NULL, sides->rows * (Py_ssize_t)sizeof(int64_t));
        PyObject *column = held != NULL && content != NULL ? PyTuple_Pack(2, held, content) : NULL;
        if (content != NULL) {
            columns[i] = PyBytes_AS_STRING(content);
            memset(columns[i], 0, (size_t)PyBytes_GET_SIZE(content));
        }
        failed = column == NULL || PyList_Append(made, column) < 0;
        Py_XDECREF(held);
        Py_XDECREF(content);
        Py_XDECREF(column);
    }
    if (failed) {
        Py_CLEAR(made);
    } else {
        Py_BEGIN_ALLOW_THREADS /* a segment is sealed beside a recorder: nothing here is anybody else's yet */
        fill(sides, columns, levels);
        Py_END_ALLOW_THREADS
    }
    PyMem_Free(columns);
    return made;
}

PyObject *level_arrays(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_buffer counts, prices, sizes;
    Py_ssize_t levels;
    PyObject *made = NULL;
    if (!PyArg_ParseTuple(args, "y*y*y*n", &counts, &prices, &sizes, &levels))
        return NULL;
    Sides sides = {counts.buf, prices.buf, sizes.buf, counts.len / (Py_ssize_t)sizeof(int32_t)};
    if (levels < 0 || levels > 1000 || !agree(&sides, prices.len) || !agree(&sides, sizes.len))
        PyErr_SetString(PyExc_ValueError, "the counts do not say what the levels are");
    else
        made = spread_out(&sides, levels);
    PyBuffer_Release(&counts);
    PyBuffer_Release(&prices);
    PyBuffer_Release(&sizes);
    return made;
}
