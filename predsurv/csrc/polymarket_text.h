/* What both readers of the wire's text share: taking texts, numbers and times out of a frame.

   A message is taken only in its present form: compact ASCII JSON whose values are texts without escapes. No byte is
   read before it is known to be inside of the frame. */

#ifndef PREDSURV_POLYMARKET_TEXT_H
#define PREDSURV_POLYMARKET_TEXT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MICROS 1000000LL
#define DIGITS_MAX 12    /* before the point of a size */
#define STAMP_DIGITS 13  /* ms since 1970 */

typedef struct { const char *at; Py_ssize_t size; } Text;

#define IS(text, word) ((text).size == sizeof(word) - 1 && memcmp((text).at, word, sizeof(word) - 1) == 0)

/* A field that is said twice is not in the present form. */
#define ONCE(bit, refused) do { if (seen & (bit)) return refused; seen |= (bit); } while (0)

/* A price as an int, a new reference; the same object for the same price on the venue's usual grid. */
PyObject *price_of(int64_t value);

/* A whole book: (token, bids, asks, ms) with levels best first, or None when it is not in its present form. */
PyObject *read_book(PyObject *module, PyObject *frame);

/* Whether every byte is printable ASCII other than a backslash: then a quote always ends a text. */
static inline int plain(const char *at, Py_ssize_t size)
{
    unsigned bad = 0;
    for (Py_ssize_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)at[i];
        bad |= (c < 0x20) | (c > 0x7e) | (c == '\\');
    }
    return !bad;
}

/* Take a text and the character that follows it; NULL when there is none. */
static inline const char *take_text(const char *at, const char *end, Text *out)
{
    if (at >= end || *at != '"')
        return NULL;
    const char *close = memchr(at + 1, '"', (size_t)(end - at - 1));
    if (close == NULL)
        return NULL;
    out->at = at + 1;
    out->size = close - out->at;
    return close + 1;
}

static inline const char *take_name(const char *at, const char *end, Text *out)
{
    at = take_text(at, end, out);
    return at != NULL && at < end && *at == ':' ? at + 1 : NULL;
}

/* Digits with at most six decimals as micros; -1 for every other way to write a number. */
static inline int64_t micros(Text text)
{
    int64_t value = 0;
    Py_ssize_t i = 0, decimals = 0;
    for (; i < text.size && text.at[i] >= '0' && text.at[i] <= '9'; i++) {
        if (i >= DIGITS_MAX)
            return -1;
        value = value * 10 + (text.at[i] - '0');
    }
    if (i == 0)
        return -1;
    if (i < text.size) {
        if (text.at[i++] != '.' || i == text.size || text.size - i > 6)
            return -1;
        for (; i < text.size; i++, decimals++) {
            if (text.at[i] < '0' || text.at[i] > '9')
                return -1;
            value = value * 10 + (text.at[i] - '0');
        }
    }
    for (; decimals < 6; decimals++)
        value *= 10;
    return value;
}

static inline int64_t stamp_of(Text text)
{
    int64_t value = 0;
    if (text.size != STAMP_DIGITS || text.at[0] == '0')
        return -1;
    for (Py_ssize_t i = 0; i < text.size; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return -1;
        value = value * 10 + (text.at[i] - '0');
    }
    return value;
}

static inline int is_price(int64_t value) { return value > 0 && value < MICROS; }

#endif
