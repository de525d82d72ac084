/* Reads Polymarket's price changes; see wire_text.h for what is taken.

   Nearly every message has its fields in the same order with nothing in between. `quick_entry` and `quick_tail` take
   that form by comparing whole stretches of text; `take_entry` and `take_fields` take any order, and spaces. Whatever
   the quick ones take, the others would take as the same. */

#include "polymarket_scan.h"

#define TAIL "\"event_type\":\"price_change\"}" /* the venue writes its tag last */

/* Take a change as it is nearly always written; NULL when it is not. */
static inline const char *quick_entry(const char *at, const char *end, Entry *entry)
{
    Text ignored;
    at = rest_of_text(AFTER(at, end, "{\"asset_id\":\""), end, &entry->token);
    at = rest_of_number(AFTER(at, end, ",\"price\":\""), end, &entry->price_text, &entry->price);
    at = rest_of_number(AFTER(at, end, ",\"size\":\""), end, &entry->size_text, &entry->size);
    if ((at = AFTER(at, end, ",\"side\":\"")) == NULL || !is_price(entry->price))
        return NULL;
    entry->bid = at < end && *at == 'B';
    at = entry->bid ? AFTER(at, end, "BUY\"") : AFTER(at, end, "SELL\"");
    at = rest_of_text(AFTER(at, end, ",\"hash\":\""), end, &ignored);
    at = rest_of_text(AFTER(at, end, ",\"best_bid\":\""), end, &ignored);
    at = rest_of_text(AFTER(at, end, ",\"best_ask\":\""), end, &ignored);
    return AFTER(at, end, "}");
}

/* Take what follows the changes as it is nearly always written; 0 when it is not. */
static inline int quick_tail(const char *at, const char *end, int64_t *stamp)
{
    at = AFTER(at, end, ",\"timestamp\":\"");
    if (at == NULL || end - at != STAMP_DIGITS + 2 + (Py_ssize_t)sizeof(TAIL) - 1)
        return 0;
    *stamp = stamp_of((Text){at, STAMP_DIGITS});
    return *stamp >= 0 && memcmp(at + STAMP_DIGITS, "\"," TAIL, sizeof(TAIL) + 1) == 0;
}

/* Read one change; NULL when it is not in its present form. */
static const char *take_entry(const char *at, const char *end, Entry *entry)
{
    unsigned seen = 0;
    Text name, value;
    if (at >= end || *at++ != '{')
        return NULL;
    for (;;) {
        if ((at = take_name(at, end, &name)) == NULL || (at = take_text(at, end, &value)) == NULL)
            return NULL;
        if (IS(name, "asset_id")) {
            ONCE(1u, 0);
            entry->token = value;
        } else if (IS(name, "price")) {
            ONCE(2u, 0);
            entry->price_text = value;
            if (!is_price(entry->price = micros(value)))
                return NULL;
        } else if (IS(name, "size")) {
            ONCE(4u, 0);
            entry->size_text = value;
            if ((entry->size = micros(value)) < 0)
                return NULL;
        } else if (IS(name, "side")) {
            ONCE(8u, 0);
            entry->bid = IS(value, "BUY");
            if (!entry->bid && !IS(value, "SELL"))
                return NULL;
        }
        if ((at = skip_spaces(at, end)) >= end)
            return NULL;
        if (*at == '}')
            return seen == 15u ? skip_spaces(at + 1, end) : NULL;
        if (*at++ != ',')
            return NULL;
    }
}

static const char *take_entries(const char *at, const char *end, Changes *out)
{
    out->count = 0;
    if (at >= end || *at++ != '[')
        return NULL;
    for (;;) {
        if (out->count == ENTRIES_MAX)
            return NULL;
        Entry *entry = &out->entries[out->count];
        const char *after = quick_entry(at, end, entry);
        if (after == NULL)
            after = take_entry(skip_spaces(at, end), end, entry);
        if ((at = after) == NULL || at >= end)
            return NULL;
        out->count++;
        if (*at == ']')
            return at + 1;
        if (*at++ != ',')
            return NULL;
    }
}

/* Read the fields of a message from `at` on, `seen` of which were read; 0 when it is not in its present form. */
static int take_fields(const char *at, const char *end, unsigned seen, Changes *out)
{
    Text name, value;
    for (;;) {
        if ((at = take_name(at, end, &name)) == NULL)
            return 0;
        if (IS(name, "price_changes")) {
            ONCE(1u, 0);
            at = take_entries(at, end, out);
        } else if ((at = take_text(at, end, &value)) != NULL) {
            if (IS(name, "timestamp")) {
                ONCE(2u, 0);
                if ((out->stamp = stamp_of(value)) < 0)
                    return 0;
            } else if (IS(name, "event_type")) {
                ONCE(4u, 0);
                if (!IS(value, "price_change"))
                    return 0;
            }
        }
        if (at == NULL || (at = skip_spaces(at, end)) >= end)
            return 0;
        if (*at == '}')
            return seen == 7u && at + 1 == end;
        if (*at++ != ',')
            return 0;
    }
}

int read_changes(PyObject *frame, Changes *out)
{
    const char *at = PyBytes_AS_STRING(frame), *end = at + PyBytes_GET_SIZE(frame);
    Text market;
    if (end == at || !plain(at, end - at) || *at != '{')
        return 0;
    const char *entries = rest_of_text(AFTER(at, end, "{\"market\":\""), end, &market);
    entries = AFTER(entries, end, ",\"price_changes\":");
    if (entries == NULL)
        return take_fields(at + 1, end, 0, out);
    entries = take_entries(entries, end, out);
    if (entries == NULL || quick_tail(entries, end, &out->stamp))
        return entries != NULL;
    entries = skip_spaces(entries, end);
    return entries < end && *entries == ',' && take_fields(entries + 1, end, 1u, out);
}

int is_change(PyObject *frame)
{
    Py_ssize_t before = PyBytes_CheckExact(frame) ? PyBytes_GET_SIZE(frame) - (Py_ssize_t)(sizeof(TAIL) - 1) : -1;
    return before >= 0 && memcmp(PyBytes_AS_STRING(frame) + before, TAIL, sizeof(TAIL) - 1) == 0;
}

static int same_text(Text a, Text b) { return a.size == b.size && memcmp(a.at, b.at, (size_t)a.size) == 0; }

static int same_entry(const Entry *a, const Entry *b)
{
    return a->bid == b->bid && same_text(a->price_text, b->price_text) && same_text(a->size_text, b->size_text)
        && same_text(a->token, b->token);
}

int repeats(const Changes *said, const Changes *before)
{
    uint64_t used = 0;
    if (said->count != before->count)
        return 0;
    for (int i = 0; i < said->count; i++) {
        int j = 0;
        while (j < before->count && ((used >> j & 1) || !same_entry(&said->entries[i], &before->entries[j])))
            j++;
        if (j == before->count)
            return 0;
        used |= (uint64_t)1 << j;
    }
    return 1;
}
