/* Plain messages of a WebSocket byte stream: the twin of net/frame_scanner.py, where each case is said in words. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "parts.h"

#define FIN_TEXT 0x81
#define FIN_BINARY 0x82
#define HEADER_64 10

/* The header at `at`, of which `left` >= 2 bytes are there: its size, or 0 when the frame is not plain. `payload` is
   set where the whole header is there. */
static Py_ssize_t header_of(const unsigned char *at, Py_ssize_t left, uint64_t *payload)
{
    if ((at[0] != FIN_TEXT && at[0] != FIN_BINARY) || at[1] > 127)
        return 0;
    if (at[1] < 126) {
        *payload = at[1];
        return 2;
    }
    Py_ssize_t size = at[1] == 126 ? 4 : HEADER_64;
    if (size <= left) {
        *payload = 0;
        for (Py_ssize_t i = 2; i < size; i++)
            *payload = *payload << 8 | at[i];
    }
    return size;
}

static int append_message(PyObject *out, const unsigned char *at, Py_ssize_t size)
{
    PyObject *message = PyBytes_FromStringAndSize((const char *)at, size);
    if (message == NULL)
        return -1;
    int failed = PyList_Append(out, message);
    Py_DECREF(message);
    return failed;
}

/* Append what is whole to `out`; set `need` and return where the scan stopped, -1 with an exception. */
static Py_ssize_t scan(const Py_buffer *data, Py_ssize_t pos, uint64_t bytes_max, PyObject *out, Py_ssize_t *need)
{
    const unsigned char *bytes = data->buf;
    Py_ssize_t end = data->len;
    while (end - pos >= 2) {
        uint64_t payload = 0;
        Py_ssize_t header = header_of(bytes + pos, end - pos, &payload);
        *need = header > end - pos ? header : 0;
        if (header == 0 || *need > 0 || payload > bytes_max)
            return pos;
        if (payload > (uint64_t)(end - pos - header)) {
            *need = header + (Py_ssize_t)payload;
            return pos;
        }
        if (append_message(out, bytes + pos + header, (Py_ssize_t)payload) < 0)
            return -1;
        pos += header + (Py_ssize_t)payload;
    }
    *need = 2;
    return pos;
}

static PyObject *plain_messages(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_buffer data;
    Py_ssize_t pos, bytes_max, need = 0;
    PyObject *found = NULL, *result = NULL;
    if (!PyArg_ParseTuple(args, "y*nn", &data, &pos, &bytes_max))
        return NULL;
    if (pos < 0 || pos > data.len || bytes_max < 0 || bytes_max > PY_SSIZE_T_MAX - HEADER_64)
        PyErr_SetString(PyExc_ValueError, "there are not so many bytes");
    else
        found = PyList_New(0);
    if (found != NULL) {
        Py_ssize_t stop = scan(&data, pos, (uint64_t)bytes_max, found, &need);
        if (stop >= 0)
            result = Py_BuildValue("Onn", found, stop, need);
        Py_DECREF(found);
    }
    PyBuffer_Release(&data);
    return result;
}

PyMethodDef net_functions[] = {
    {"plain_messages", plain_messages, METH_VARARGS, "Return plain messages and where they end; see frame_scanner.py."},
    {NULL, NULL, 0, NULL},
};
