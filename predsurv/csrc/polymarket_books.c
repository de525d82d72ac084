/* Polymarket's whole books, read without the texts in between; see wire_text.h. */

#include "polymarket_books.h"

#define LEVELS_MAX 10000 /* of one side */

/* Take a level as it is nearly always written; NULL when it is not. */
static inline const char *quick_level(const char *at, const char *end, WireLevel *level)
{
    Text ignored;
    at = rest_of_number(AFTER(at, end, "{\"price\":\""), end, &ignored, &level->price);
    at = rest_of_number(AFTER(at, end, ",\"size\":\""), end, &ignored, &level->size);
    at = AFTER(at, end, "}");
    return at != NULL && is_price(level->price) ? at : NULL;
}

static const char *take_level(const char *at, const char *end, WireLevel *level)
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

static int make_room(WireSide *side)
{
    if (side->count < side->room)
        return 1;
    Py_ssize_t room = side->room ? 2 * side->room : 64;
    WireLevel *levels = PyMem_Realloc(side->levels, (size_t)room * sizeof(WireLevel));
    if (levels == NULL)
        return 0;
    side->levels = levels;
    side->room = room;
    return 1;
}

static const char *take_side(const char *at, const char *end, WireSide *side)
{
    if (at >= end || *at++ != '[' || (at = skip_spaces(at, end)) >= end)
        return NULL;
    if (*at == ']')
        return at + 1;
    for (;;) {
        if (side->count == LEVELS_MAX || !make_room(side))
            return NULL;
        WireLevel *level = &side->levels[side->count];
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
static const char *take_value(Text name, const char *at, const char *end, BookMessage *book, unsigned *said)
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
    } else if (IS(name, "tick_size")) {
        book->states_tick = 1;
    } else if (IS(name, "event_type")) {
        ONCE(16u, NULL);
        if (!IS(value, "book"))
            return NULL;
    }
    *said = seen;
    return at;
}

static int read_fields(const char *at, Py_ssize_t size, BookMessage *book)
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
static int order_of(const WireSide *side)
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

/* Put the levels of a side, without empty ones, where a book has them; return how many there are. */
static Py_ssize_t put_side(Rung *rungs, const WireSide *side, int sign)
{
    int backwards = order_of(side) != sign; /* the best comes first */
    Py_ssize_t held = 0;
    for (Py_ssize_t i = 0; i < side->count; i++) {
        const WireLevel *level = &side->levels[backwards ? side->count - 1 - i : i];
        rungs[held] = (Rung){sign * level->price, level->size};
        held += level->size != 0;
    }
    return held;
}

int read_book(PyObject *frame, BookMessage *out)
{
    out->bids.count = out->asks.count = out->states_tick = 0;
    return PyBytes_CheckExact(frame) && read_fields(PyBytes_AS_STRING(frame), PyBytes_GET_SIZE(frame), out)
        && order_of(&out->bids) && order_of(&out->asks);
}

PackedBook *packed_message(Module *module, const BookMessage *said, PyObject *key, PyObject *ts_recv, PyObject *epoch)
{
    PackedBook *book = packed_book_new(module, key, ts_recv, epoch, said->bids.count + said->asks.count);
    if (book != NULL) {
        book->ts_venue = is_plausible(said->stamp) ? said->stamp * MICROS : INT64_MIN;
        book->bids = put_side(book->rungs, &said->bids, 1);
        book->asks = put_side(book->rungs + book->bids, &said->asks, -1);
    }
    return book;
}

void forget_book(BookMessage *self)
{
    PyMem_Free(self->bids.levels);
    PyMem_Free(self->asks.levels);
    memset(self, 0, sizeof *self);
}
