/* Polymarket's whole books, read without the texts in between; see wire_text.h. */

#include "wire_text.h"

#define LEVELS_MAX 10000 /* of one side */

typedef struct { int64_t price, size; } Level;
typedef struct { Level *levels; Py_ssize_t count, room; } Side;
typedef struct { Text token; Side bids, asks; int64_t stamp; } Book;

/* Take a level as it is nearly always written; NULL when it is not. */
static inline const char *quick_level(const char *at, const char *end, Level *level)
{
    Text ignored;
    at = rest_of_number(AFTER(at, end, "{\"price\":\""), end, &ignored, &level->price);
    at = rest_of_number(AFTER(at, end, ",\"size\":\""), end, &ignored, &level->size);
    at = AFTER(at, end, "}");
    return at != NULL && is_price(level->price) ? at : NULL;
}

static const char *take_level(const char *at, const char *end, Level *level)
{
    unsigned seen = 0;
    Text name, value;
    if (at >= end || *at++ != '{')
        return NULL;
    for (;;) {
        if ((at = take_name(at, end, &name)) == NULL || (at = take_text(at, end, &value)) == NULL
            || (at = skip_spaces(at, end)) >= end)
            return NULL;
        if (IS(name, "price")) {
            ONCE(1u, NULL);
            if (!is_price(level->price = micros(value)))
                return NULL;
        } else if (IS(name, "size")) {
            ONCE(2u, NULL);
            if ((level->size = micros(value)) < 0)
                return NULL;
        }
        if (*at == '}')
            return seen == 3u ? skip_spaces(at + 1, end) : NULL;
        if (*at++ != ',')
            return NULL;
    }
}

static int make_room(Side *side)
{
    if (side->count < side->room)
        return 1;
    Py_ssize_t room = side->room ? 2 * side->room : 64;
    Level *levels = PyMem_Realloc(side->levels, (size_t)room * sizeof(Level));
    if (levels == NULL)
        return 0;
    side->levels = levels;
    side->room = room;
    return 1;
}

static const char *take_side(const char *at, const char *end, Side *side)
{
    if (at >= end || *at++ != '[' || (at = skip_spaces(at, end)) >= end)
        return NULL;
    if (*at == ']')
        return at + 1;
    for (;;) {
        if (side->count == LEVELS_MAX || !make_room(side))
            return NULL;
        Level *level = &side->levels[side->count];
        const char *after = quick_level(at, end, level);
        if (after == NULL)
            after = take_level(skip_spaces(at, end), end, level);
        if ((at = after) == NULL || at >= end)
            return NULL;
        side->count++;
        if (*at == ']')
            return at + 1;
        if (*at++ != ',')
            return NULL;
    }
}

/* Take the value of a field; NULL when the message is not in its present form. */
static const char *take_value(Text name, const char *at, const char *end, Book *book, unsigned *said)
{
    unsigned seen = *said;
    Text value;
    if (IS(name, "bids")) {
        ONCE(1u, NULL);
        at = take_side(at, end, &book->bids);
    } else if (IS(name, "asks")) {
        ONCE(2u, NULL);
        at = take_side(at, end, &book->asks);
    } else if ((at = take_text(at, end, &value)) == NULL) {
        return NULL;
    } else if (IS(name, "asset_id")) {
        ONCE(4u, NULL);
        book->token = value;
    } else if (IS(name, "timestamp")) {
        ONCE(8u, NULL);
        if ((book->stamp = stamp_of(value)) < 0)
            return NULL;
    } else if (IS(name, "event_type")) {
        ONCE(16u, NULL);
        if (!IS(value, "book"))
            return NULL;
    }
    *said = seen;
    return at;
}

static int read_fields(const char *at, Py_ssize_t size, Book *book)
{
    const char *end = at + size;
    unsigned seen = 0;
    Text name;
    if (!plain(at, size) || size < 2 || *at++ != '{')
        return 0;
    for (;;) {
        if ((at = take_name(at, end, &name)) == NULL || (at = take_value(name, at, end, book, &seen)) == NULL
            || (at = skip_spaces(at, end)) >= end)
            return 0;
        if (*at == '}')
            return seen == 31u && at + 1 == end;
        if (*at++ != ',')
            return 0;
    }
}

/* The order of a side's prices: 1 rising, -1 falling, 0 neither, which is for the patient reader. */
static int order_of(const Side *side)
{
    int order = 1;
    for (Py_ssize_t i = 1; i < side->count; i++) {
        int64_t step = side->levels[i].price - side->levels[i - 1].price;
        if (i == 1)
            order = step > 0 ? 1 : -1;
        if (step * order <= 0)
            return 0;
    }
    return order;
}

static PyObject *level_of(Module *module, Level level)
{
    PyObject *price = price_of(module, level.price), *size = PyLong_FromLongLong(level.size);
    PyObject *pair = price != NULL && size != NULL ? PyTuple_New(2) : NULL;
    if (pair == NULL) {
        Py_XDECREF(price);
        Py_XDECREF(size);
        return NULL;
    }
    PyTuple_SET_ITEM(pair, 0, price);
    PyTuple_SET_ITEM(pair, 1, size);
    PyObject_GC_UnTrack(pair); /* two numbers are in no cycle: the collector would find that out at some cost */
    return pair;
}

/* The levels of a side as a tuple, without empty ones, from its end when `backwards`. */
static PyObject *levels_of(Module *module, const Side *side, int backwards)
{
    Py_ssize_t held = 0, place = 0;
    for (Py_ssize_t i = 0; i < side->count; i++)
        held += side->levels[i].size != 0;
    PyObject *levels = PyTuple_New(held);
    for (Py_ssize_t i = 0; levels != NULL && i < side->count; i++) {
        Level level = side->levels[backwards ? side->count - 1 - i : i];
        if (level.size == 0)
            continue;
        PyObject *pair = level_of(module, level);
        if (pair == NULL)
            Py_CLEAR(levels);
        else
            PyTuple_SET_ITEM(levels, place++, pair);
    }
    return levels;
}

PyObject *read_book(PyObject *given, PyObject *frame)
{
    Module *module = PyModule_GetState(given);
    Book book = {.stamp = -1};
    PyObject *found = NULL;
    int bids = 0, asks = 0;
    if (PyBytes_CheckExact(frame) && read_fields(PyBytes_AS_STRING(frame), PyBytes_GET_SIZE(frame), &book)) {
        bids = order_of(&book.bids);
        asks = order_of(&book.asks);
    }
    if (bids && asks) {
        PyObject *best_bids = levels_of(module, &book.bids, bids > 0);
        PyObject *best_asks = levels_of(module, &book.asks, asks < 0);
        if (best_bids != NULL && best_asks != NULL)
            found = Py_BuildValue("(s#OOL)", book.token.at, book.token.size, best_bids, best_asks, book.stamp);
        Py_XDECREF(best_bids);
        Py_XDECREF(best_asks);
    } else {
        found = Py_NewRef(Py_None);
    }
    PyMem_Free(book.bids.levels);
    PyMem_Free(book.asks.levels);
    return found;
}
