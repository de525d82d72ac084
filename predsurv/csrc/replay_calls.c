/* Strategies that are called from within the replay: most calls decide nothing, and need no Python around them. */

#include "replay.h"

/* Read (risk, last_recv, venue, calls): what is told the time of an event, as the engine does, and of each strategy
   (on_event, view), or None where the engine has to call it. */
int calls_read(Replay *self, PyObject *given)
{
    PyObject *risk, *last_recv, *venue, *calls;
    if (!PyArg_ParseTuple(given, "OO!OO!", &risk, &PyDict_Type, &last_recv, &venue, &PyTuple_Type, &calls))
        return -1;
    if (PyTuple_GET_SIZE(calls) != self->strategies) {
        PyErr_SetString(PyExc_ValueError, "a call or None for each strategy");
        return -1;
    }
    self->risk = Py_NewRef(risk);
    self->last_recv = Py_NewRef(last_recv);
    self->venue = Py_NewRef(venue);
    for (int i = 0; i < self->strategies; i++) {
        PyObject *call = PyTuple_GET_ITEM(calls, i), *on_event, *view;
        if (call == Py_None)
            continue;
        if (!PyTuple_Check(call) || !PyArg_ParseTuple(call, "OO", &on_event, &view))
            return PyErr_Occurred() ? -1 : (PyErr_SetString(PyExc_TypeError, "(on_event, view) or None"), -1);
        self->calls[i] = Py_NewRef(on_event);
        self->views[i] = Py_NewRef(view);
        self->direct |= UINT64_C(1) << i;
    }
    return 0;
}

void calls_clear(Replay *self)
{
    Py_CLEAR(self->risk);
    Py_CLEAR(self->last_recv);
    Py_CLEAR(self->venue);
    for (int i = 0; i < self->strategies; i++) {
        Py_CLEAR(self->calls[i]);
        Py_CLEAR(self->views[i]);
    }
}

static int tell_time(const Replay *self, int64_t ts)
{
    PyObject *time = PyLong_FromLongLong(ts);
    int failed = time == NULL || PyObject_SetAttrString(self->risk, "now", time) < 0
        || PyDict_SetItem(self->last_recv, self->venue, time) < 0;
    Py_XDECREF(time);
    return failed ? -1 : 0;
}

/* Take the exception that is set as an object, with its traceback; NULL where it is not for the engine. */
static PyObject *raised(void)
{
    if (!PyErr_ExceptionMatches(PyExc_Exception))
        return NULL;
    PyObject *type, *error, *trace;
    PyErr_Fetch(&type, &error, &trace);
    PyErr_NormalizeException(&type, &error, &trace);
    if (trace != NULL)
        PyException_SetTraceback(error, trace);
    Py_XDECREF(type);
    Py_XDECREF(trace);
    return error;
}

/* Call the strategies that want an event, a bit for each, until one decides something or fails: 1 with `answer` then,
   and `wanted` from that one on; 0 when none did; -1 with an exception. */
int call_strategies(Replay *self, PyObject *event, int64_t ts, uint64_t *wanted, PyObject **answer)
{
    if (tell_time(self, ts) < 0)
        return -1;
    for (int i = 0; *wanted >> i; i++) {
        if (!(*wanted >> i & 1))
            continue;
        PyObject *given[] = {event, self->views[i]};
        PyObject *returned = PyObject_Vectorcall(self->calls[i], given, 2, NULL);
        int decided = returned == NULL ? -1 : PyObject_IsTrue(returned);
        if (decided == 0) {
            Py_DECREF(returned);
            *wanted &= ~(UINT64_C(1) << i);
            continue;
        }
        PyObject *error = decided < 0 ? raised() : Py_NewRef(Py_None);
        if (error == NULL) {
            Py_XDECREF(returned);
            return -1;
        }
        *answer = Py_BuildValue("iON", i, decided < 0 ? Py_None : returned, error);
        Py_XDECREF(returned);
        return *answer == NULL ? -1 : 1;
    }
    return 0;
}
