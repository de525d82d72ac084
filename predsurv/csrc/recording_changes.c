/* Fold level changes that come as one object: what recording/reducer.py does for each of them. */

#include "level_changes.h"
#include "parts.h"
#include "recording.h"
#include "runs.h"
#include "state.h"

#define BLOCK 32 /* changes that are fetched together */

/* Changes on their way into books; what is not said here is as Recording has it. */
typedef struct {
    const Module *module;
    Recording *to;
    const LevelChanges *changes;
    Py_ssize_t written;      /* changes up to here are in `out`, or left out */
    PyTypeObject *book_kind; /* a kind of book seen before */
} Fold;

static int64_t time_at(PyObject *line, Py_ssize_t offset)
{
    int beyond = 0;
    PyObject *value = slot(line, offset);
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "a line without a time");
        return -1;
    }
    return value_of(value, &beyond);
}

/* Append the changes that are folded and not written yet, up to `end`. */
static int write_changes(Fold *self, Py_ssize_t end)
{
    const LevelChanges *changes = self->changes;
    if (end == self->written)
        return 0;
    int all = self->written == 0 && end == changes->count;
    PyObject *part = all ? Py_NewRef((PyObject *)changes) : (PyObject *)level_changes_slice(changes, self->written, end);
    int failed = part == NULL || PyList_Append(self->to->out, part) < 0;
    Py_XDECREF(part);
    self->written = end;
    return failed ? -1 : 0;
}

/* The book of a line, borrowed. NULL with an exception. */
static Book *book_of(Fold *self, PyObject *line)
{
    const Module *module = self->module;
    PyObject *book = Py_IS_TYPE(line, module->line) ? slot(line, module->line_at.book) : NULL;
    if (book != NULL && Py_IS_TYPE(book, self->book_kind))
        return (Book *)book;
    if (book == NULL || !PyObject_TypeCheck(book, module->book)) {
        PyErr_SetString(PyExc_TypeError, "a line without a book");
        return NULL;
    }
    self->book_kind = Py_TYPE(book);
    return (Book *)book;
}

/* Whether a row of the line is to be written before its book changes; -1 with an exception. */
static int is_overdue(Fold *self, PyObject *line)
{
    const Module *module = self->module;
    if (slot(line, module->line_at.pending) != Py_True || slot(line, module->line_at.changed_at) == self->changes->ts_recv)
        return 0;
    int64_t due = time_at(line, module->line_at.due), changed_at = time_at(line, module->line_at.changed_at);
    if (PyErr_Occurred())
        return -1;
    return due < self->changes->ts && changed_at < self->changes->ts;
}

/* Whether the change is of the connection of the line's book; -1 with an exception. */
static int of_same_epoch(Fold *self, PyObject *line)
{
    const Module *module = self->module;
    PyObject *epoch = slot(line, module->line_at.epoch);
    return epoch == self->changes->epoch ? 1
        : epoch == NULL ? 0 : PyObject_RichCompareBool(epoch, self->changes->epoch, Py_EQ);
}

/* Change a trusted book. -1 with an exception. */
static int change_book(Fold *self, Book *book, const LevelChange *row)
{
    const Module *module = self->module;
    PyObject *side = row->ask ? book->asks : book->bids;
    if (side == NULL || !PyObject_TypeCheck(side, module->ladder)) {
        PyErr_SetString(PyExc_TypeError, "a side of this book is no ladder");
        return -1;
    }
    if (ladder_put((Ladder *)side, row->price, row->size) < 0)
        return -1;
    book->numbers[STAMP_TS_RECV] = self->changes->ts;
    book->numbers[STAMP_TS_VENUE] = row->ts_venue;
    book->numbers[STAMP_EPOCH] = self->changes->epoch_number;
    book->numbers[STAMP_SEQ] = row->seq;
    book->plain = 1;
    return 0;
}

/* Fold the change at `at` into its line: what EventReducer._delta does. */
static int fold_change(Fold *self, Py_ssize_t at, PyObject *line)
{
    const Module *module = self->module;
    const LevelChange *row = &self->changes->rows[at];
    Book *book = book_of(self, line);
    int overdue = book == NULL ? -1 : is_overdue(self, line);
    if (overdue < 0)
        return -1;
    if (overdue && (write_changes(self, at) < 0 || show_row(module, line, self->to->levels, self->to->heartbeat, self->to->out) < 0))
        return -1;
    int same = of_same_epoch(self, line);
    if (same < 0)
        return -1;
    if (!same || !book->trusted) {
        self->to->orphans++;
        int failed = write_changes(self, at) < 0;
        self->written = at + 1;
        return failed ? -1 : 0;
    }
    if (change_book(self, book, row) < 0
        || store(line, module->line_at.changed_at, Py_NewRef(self->changes->ts_recv)) < 0)
        return -1;
    return slot(line, module->line_at.pending) == Py_True
        ? 0 : put_in_line(self->to, line, self->changes->ts_recv, self->changes->ts);
}

/* Fetch the first two lines of memory of a line or a book. */
static inline void fetch_object(PyObject *object)
{
    FETCH(object);
    FETCH((char *)object + 64);
}

/* Find the lines of some changes, new references, NULL where there is none, and fetch what folding them touches: each
   lies somewhere else in memory, and waiting for one after the other takes longer than folding. -1 with an exception. */
static int find_lines(Fold *self, Py_ssize_t first, Py_ssize_t count, PyObject *lines[BLOCK])
{
    const Module *module = self->module;
    const LevelChange *rows = self->changes->rows + first;
    Book *books[BLOCK];
    for (Py_ssize_t i = 0; i < count; i++)
        FETCH(rows[i].key);
    for (Py_ssize_t i = 0; i < count; i++) {
        lines[i] = Py_XNewRef(PyDict_GetItemWithError(self->to->lines, rows[i].key));
        if (lines[i] == NULL && PyErr_Occurred())
            return -1;
        if (lines[i] != NULL)
            fetch_object(lines[i]);
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *book = lines[i] != NULL && Py_IS_TYPE(lines[i], module->line) ? slot(lines[i], module->line_at.book) : NULL;
        books[i] = (Book *)book;
        if (book != NULL)
            fetch_object(book);
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        int known = books[i] != NULL && PyObject_TypeCheck(books[i], module->book);
        books[i] = known ? books[i] : NULL;
        FETCH(books[i] == NULL ? NULL : rows[i].ask ? books[i]->asks : books[i]->bids);
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *side = books[i] == NULL ? NULL : rows[i].ask ? books[i]->asks : books[i]->bids;
        if (side != NULL && PyObject_TypeCheck(side, module->ladder))
            ladder_fetch((Ladder *)side);
    }
    return 0;
}

static int fold_block(Fold *self, Py_ssize_t first, Py_ssize_t count, PyObject *const lines[BLOCK])
{
    for (Py_ssize_t i = 0; i < count; i++) {
        if (lines[i] != NULL && fold_change(self, first + i, lines[i]) < 0)
            return -1;
        if (lines[i] == NULL) {
            if (write_changes(self, first + i) < 0)
                return -1;
            self->to->strays++;
            self->written = first + i + 1;
        }
    }
    return 0;
}

static int fold_all(Fold *self)
{
    for (Py_ssize_t first = 0; first < self->changes->count; first += BLOCK) {
        Py_ssize_t left = self->changes->count - first, count = left < BLOCK ? left : BLOCK;
        PyObject *lines[BLOCK] = {NULL};
        int failed = find_lines(self, first, count, lines) < 0 || fold_block(self, first, count, lines) < 0;
        for (Py_ssize_t i = 0; i < count; i++)
            Py_XDECREF(lines[i]);
        if (failed)
            return -1;
    }
    return write_changes(self, self->changes->count);
}

int fold_level_changes(Recording *to, const LevelChanges *changes)
{
    Fold self = {.module = to->module, .to = to, .changes = changes, .book_kind = to->module->book};
    return fold_all(&self);
}
