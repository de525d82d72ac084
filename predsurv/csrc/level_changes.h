/* Level changes of one connection, received at one time; see core/level_changes.py. */

#ifndef PREDSURV_LEVEL_CHANGES_H
#define PREDSURV_LEVEL_CHANGES_H

#include "module.h"

#define CHANGES_MAX 1024 /* of one object, as its maker sees to; core/level_changes.py has it too */

/* A change; INT64_MIN is None. It owns its key. */
typedef struct { PyObject *key; int64_t ts_venue, seq, price, size, ask; } LevelChange;

typedef struct {
    PyObject_HEAD
    const Module *module;
    LevelChange *rows;
    Py_ssize_t count, room;
    PyObject *ts_recv, *epoch;
    int64_t ts, epoch_number; /* the same as numbers */
} LevelChanges;

/* New changes without any yet. NULL with an exception. */
LevelChanges *level_changes_new(const Module *module, PyObject *ts_recv, PyObject *epoch, Py_ssize_t room);

/* A change as an event. NULL with an exception. */
PyObject *level_change_event(const Module *module, PyObject *ts_recv, PyObject *epoch, const LevelChange *row);

/* Those from `start` up to `end` as an object of their own. NULL with an exception. */
LevelChanges *level_changes_slice(const LevelChanges *self, Py_ssize_t start, Py_ssize_t end);

/* Make room for one more. -1 with an exception. */
int level_changes_grow(LevelChanges *self);

/* Append a change. -1 with an exception. */
static inline int level_changes_add(LevelChanges *self, LevelChange change)
{
    if (self->count == self->room && level_changes_grow(self) < 0)
        return -1;
    Py_INCREF(change.key);
    self->rows[self->count++] = change;
    return 0;
}

#endif
