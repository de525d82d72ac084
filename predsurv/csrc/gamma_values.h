/* Values of Gamma's rows as they are nearly always written; whatever is not is left to Python (market_parser.py). */

#ifndef PREDSURV_GAMMA_VALUES_H
#define PREDSURV_GAMMA_VALUES_H

#include "slots.h"

#define ID_MAX 256      /* core/ids.py */
#define WHOLE_MAX 12    /* digits before the point of a number that is read here */
#define NUMBER_MAX 28   /* bytes of one: with more digits a Decimal would round */
#define DECIMALS 6

enum { ODD, NOTHING, NUMBER };

/* Read a number that is not negative, as micros: cut after six decimals when `cut`, else ODD with more of them. */
static inline int number_in(const char *at, Py_ssize_t size, int cut, int64_t *micros)
{
    if (size == 4 && memcmp(at, "null", 4) == 0)
        return NOTHING;
    if (size >= 2 && at[0] == '"' && at[size - 1] == '"') {
        at++;
        size -= 2;
        if (size == 0)
            return NOTHING;
    }
    Py_ssize_t i = 0, decimals = 0;
    int64_t value = 0;
    while (i < size && i <= WHOLE_MAX && at[i] >= '0' && at[i] <= '9')
        value = value * 10 + (at[i++] - '0');
    if (i == 0 || i > WHOLE_MAX || size > NUMBER_MAX)
        return ODD;
    if (i < size && (at[i++] != '.' || i == size))
        return ODD;
    for (; i < size; i++) {
        if (at[i] < '0' || at[i] > '9')
            return ODD;
        if (decimals < DECIMALS) {
            value = value * 10 + (at[i] - '0');
            decimals++;
        } else if (!cut) {
            return ODD;
        }
    }
    for (; decimals < DECIMALS; decimals++)
        value *= 10;
    *micros = value;
    return NUMBER;
}

/* The same of a field. */
static inline int number_of(PyObject *raw, int cut, int64_t *micros)
{
    Py_buffer view;
    if (PyObject_GetBuffer(raw, &view, PyBUF_SIMPLE) < 0) {
        PyErr_Clear();
        return ODD;
    }
    int found = number_in(view.buf, view.len, cut, micros);
    PyBuffer_Release(&view);
    return found;
}

/* Whether a field is a text that is not empty. */
static inline int has_text(PyObject *text) { return PyUnicode_Check(text) && PyUnicode_GET_LENGTH(text) > 0; }

/* Whether a text can be an id. */
static inline int is_id(PyObject *text)
{
    if (!has_text(text) || !PyUnicode_IS_ASCII(text) || PyUnicode_GET_LENGTH(text) > ID_MAX)
        return 0;
    const unsigned char *at = PyUnicode_1BYTE_DATA(text);
    unsigned char bad = 0;
    for (Py_ssize_t i = 0; i < PyUnicode_GET_LENGTH(text); i++)
        bad |= (unsigned char)((unsigned char)(at[i] - 0x21) > 0x7e - 0x21);
    return !bad;
}

/* Take one text of a list; NULL when it has an escape or a character that is not plain. `quote`: how texts begin and end. */
static inline const char *item_in(const char *at, const char *end, const char *quote, PyObject **text)
{
    size_t length = strlen(quote);
    if (end - at < (Py_ssize_t)length || memcmp(at, quote, length) != 0)
        return NULL;
    const char *start = at += length;
    while (at < end && *at >= 0x20 && *at < 0x7f && *at != '"' && *at != '\\')
        at++;
    if (end - at < (Py_ssize_t)length || memcmp(at, quote, length) != 0)
        return NULL;
    *text = PyUnicode_FromStringAndSize(start, at - start);
    return *text == NULL ? NULL : at + length;
}

/* Read a list of two texts, or a text that holds one; 0, without an exception, when it is not plain. */
static inline int pair_in(const char *at, Py_ssize_t size, PyObject *pair[2])
{
    const char *end = at + size, *quote = "\"";
    if (size >= 2 && at[0] == '"' && end[-1] == '"') {
        at++;
        end--;
        quote = "\\\"";
    }
    if (end - at < 2 || *at++ != '[' || *--end != ']')
        return 0;
    if ((at = item_in(at, end, quote, &pair[0])) != NULL && at < end && *at++ == ',') {
        while (at < end && *at == ' ')
            at++;
        if ((at = item_in(at, end, quote, &pair[1])) == end)
            return 1;
    }
    PyErr_Clear();
    Py_CLEAR(pair[0]);
    Py_CLEAR(pair[1]);
    return 0;
}

#endif
