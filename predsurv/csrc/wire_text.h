/* What readers of the wire's text share: taking texts, numbers and times out of a frame.

   A message is taken only in its present form: ASCII JSON whose values are texts without escapes, with no other white
   space than spaces. No byte is read before it is known to be inside of the frame. */

#ifndef PREDSURV_WIRE_TEXT_H
#define PREDSURV_WIRE_TEXT_H

#include "module.h"

#define MICROS 1000000LL
#define DIGITS_MAX 12    /* before the point of a size */
#define STAMP_DIGITS 13  /* ms since 1970 */
#define EARLIEST 1420070400000LL /* a plausible time of a venue, ms; see venues/parsing.py */
#define LATEST 4102444800000LL

typedef struct { const char *at; Py_ssize_t size; } Text;

#define IS(text, word) ((text).size == sizeof(word) - 1 && memcmp((text).at, word, sizeof(word) - 1) == 0)

/* A field that is said twice is not in the present form. */
#define ONCE(bit, refused) do { if (seen & (bit)) return refused; seen |= (bit); } while (0)

/* A price as an int, a new reference; the same object for the same price on the venue's usual grid. */
PyObject *price_of(Module *module, int64_t value);

/* The text of an id as a new reference, the same object as last time where it is still remembered. */
PyObject *remembered_text(Module *module, Text text);

/* Remember `text`, which is to say the same as `token`, for it from now on: what is the same object as a key of a dict is
   found without a comparison. */
void remember_text(Module *module, Text token, PyObject *text);

/* Whether every byte is printable ASCII other than a backslash: then a quote always ends a text. */
static inline int plain(const char *at, Py_ssize_t size)
{
    unsigned char bad = 0; /* one byte, so that a compiler looks at many at once */
    for (Py_ssize_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)at[i];
        bad |= (unsigned char)((unsigned char)(c - 0x20) > 0x7e - 0x20) | (unsigned char)(c == '\\');
    }
    return !bad;
}

static inline const char *skip_spaces(const char *at, const char *end)
{
    while (at < end && *at == ' ')
        at++;
    return at;
}

/* Take a text after spaces; NULL when there is none. */
static inline const char *take_text(const char *at, const char *end, Text *out)
{
    at = skip_spaces(at, end);
    if (at >= end || *at != '"')
        return NULL;
    const char *close = memchr(at + 1, '"', (size_t)(end - at - 1));
    if (close == NULL)
        return NULL;
    out->at = at + 1;
    out->size = close - out->at;
    return close + 1;
}

/* Take a field's name and colon, and the spaces around it. */
static inline const char *take_name(const char *at, const char *end, Text *out)
{
    at = take_text(at, end, out);
    if (at == NULL || (at = skip_spaces(at, end)) >= end || *at != ':')
        return NULL;
    return skip_spaces(at + 1, end);
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

/* Where `at` goes on after `text`; NULL when it does not begin with that. */
#define AFTER(at, end, text) \
    ((at) != NULL && (end) - (at) >= (Py_ssize_t)sizeof(text) - 1 && memcmp(at, text, sizeof(text) - 1) == 0 \
         ? (at) + sizeof(text) - 1 : NULL)

/* Take what is left of a text and its quote. */
static inline const char *rest_of_text(const char *at, const char *end, Text *out)
{
    const char *close = at == NULL ? NULL : memchr(at, '"', (size_t)(end - at));
    if (close == NULL)
        return NULL;
    *out = (Text){at, close - at};
    return close + 1;
}

/* The same of a number of micros: as `micros` reads it. */
static inline const char *rest_of_number(const char *at, const char *end, Text *out, int64_t *value)
{
    static const int64_t units[] = {MICROS, MICROS / 10, MICROS / 100, MICROS / 1000, 100, 10, 1};
    if (at == NULL)
        return NULL;
    const char *start = at;
    uint64_t digits = 0;
    Py_ssize_t decimals = 0;
    while (at < end && *at >= '0' && *at <= '9')
        digits = digits * 10 + (uint64_t)(*at++ - '0');
    if (at == start || at - start > DIGITS_MAX || at == end)
        return NULL;
    if (*at == '.') {
        const char *point = at++;
        while (at < end && *at >= '0' && *at <= '9')
            digits = digits * 10 + (uint64_t)(*at++ - '0');
        decimals = at - point - 1;
        if (decimals == 0 || decimals > 6 || at == end)
            return NULL;
    }
    if (*at != '"')
        return NULL;
    *value = (int64_t)digits * units[decimals];
    *out = (Text){start, at - start};
    return at + 1;
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

/* Whether this can be a time of a venue, in ms. */
static inline int is_plausible(int64_t ms) { return ms > EARLIEST && ms < LATEST; }

static inline int is_price(int64_t value) { return value > 0 && value < MICROS; }

#endif
