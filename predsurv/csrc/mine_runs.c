/* Runs of texts: the twin of `rle` for columns of texts that are compared where they lie, not letter by letter. */

#include "mine.h"

#define VIEW_BYTES 16 /* of Arrow: length, beginning, and where the rest of the text is */

/* Write the length of each run of equal views; -1 without memory. */
static int find_runs(Sheet *lengths, const char *views, Py_ssize_t count)
{
    Py_ssize_t first = 0;
    for (Py_ssize_t i = 1; i <= count; i++) {
        const char *view = views + i * VIEW_BYTES;
        if (i < count && memcmp(view, view - VIEW_BYTES, VIEW_BYTES) == 0)
            continue;
        Cell *row = sheet_row(lengths);
        if (row == NULL)
            return -1;
        row->i = i - first;
        first = i;
    }
    return 0;
}

/* mine_runs(views): the lengths of the runs of equal ones. Equal texts may have views that differ. */
PyObject *mine_runs(PyObject *Py_UNUSED(module), PyObject *views)
{
    Py_buffer given;
    Sheet lengths = {.width = 1};
    if (PyObject_GetBuffer(views, &given, PyBUF_SIMPLE) < 0)
        return NULL;
    int failed;
    Py_BEGIN_ALLOW_THREADS
    failed = find_runs(&lengths, given.buf, given.len / VIEW_BYTES);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&given);
    PyObject *made = failed ? PyErr_NoMemory() : sheet_columns(&lengths);
    sheet_clear(&lengths);
    return made;
}
