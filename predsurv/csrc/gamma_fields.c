/* Fields of a market that take more than a look at one of its row; see gamma_markets.c. */

#include "gamma_markets.h"

#define TAGS_MAX 32
#define SLUG_MAX 200
#define SITE "https://polymarket.com/"

/* Two texts out of a list; the parser in Python reads what is not plain. */
static int pair_of(Parser *self, PyObject *raw, PyObject *pair[2])
{
    Py_buffer view;
    if (PyObject_GetBuffer(raw, &view, PyBUF_SIMPLE) < 0)
        return left();
    int found = pair_in(view.buf, view.len, pair);
    PyBuffer_Release(&view);
    if (found)
        return 1;
    PyObject *texts = PyObject_CallOneArg(self->texts, raw);
    if (texts == NULL)
        return left();
    found = PyTuple_Check(texts) && PyTuple_GET_SIZE(texts) == 2;
    for (int i = 0; found && i < 2; i++)
        pair[i] = Py_NewRef(PyTuple_GET_ITEM(texts, i));
    Py_DECREF(texts);
    return found;
}

static PyObject *outcome_of(Parser *self, PyObject *token, PyObject *label)
{
    PyObject *given[] = {token, label};
    return PyObject_Vectorcall((PyObject *)self->outcome, given, 2, NULL);
}

int put_outcomes(Parser *self, Row *row)
{
    PyObject *tokens[2] = {NULL, NULL}, *labels[2] = {NULL, NULL}, *version = OF(version);
    int second = has_text(version) && PyUnicode_CompareWithASCIIString(version, "v2") == 0;
    if (has_text(version) && !second && PyUnicode_CompareWithASCIIString(version, "v1") != 0)
        return 0;
    int found = pair_of(self, second ? OF(position_ids) : OF(clob_token_ids), tokens);
    if (found > 0)
        found = pair_of(self, OF(outcomes), labels);
    if (found > 0)
        found = is_id(tokens[0]) && is_id(tokens[1]) && PyUnicode_Compare(tokens[0], tokens[1]) != 0
            && PyUnicode_GET_LENGTH(labels[0]) <= TEXT_MAX && PyUnicode_GET_LENGTH(labels[1]) <= TEXT_MAX;
    if (found > 0) {
        PyObject *first = outcome_of(self, tokens[0], labels[0]), *other = outcome_of(self, tokens[1], labels[1]);
        if (first != NULL && other != NULL)
            row->made[OUTCOMES] = PyTuple_Pack(2, first, other);
        Py_XDECREF(first);
        Py_XDECREF(other);
        found = row->made[OUTCOMES] == NULL ? -1 : PUT(VERSION, Py_NewRef(has_text(version) ? version : self->version));
    }
    for (int i = 0; i < 2; i++) {
        Py_XDECREF(tokens[i]);
        Py_XDECREF(labels[i]);
    }
    return found;
}

int put_tags(Parser *self, Row *row)
{
    PyObject *tags = OF(tags);
    if (!PyList_Check(tags) || PyList_GET_SIZE(tags) == 0)
        tags = OF_EVENT(tags);
    Py_ssize_t given = PyList_Check(tags) ? PyList_GET_SIZE(tags) : 0, count = 0;
    PyObject *labels[TAGS_MAX];
    for (Py_ssize_t i = 0; i < given && i < TAGS_MAX; i++) {
        PyObject *tag = PyList_GET_ITEM(tags, i), *label = Py_IS_TYPE(tag, self->tag) ? slot(tag, self->label_at) : NULL;
        if (label == NULL || (has_text(label) && PyUnicode_GET_LENGTH(label) > TEXT_MAX))
            return 0;
        if (has_text(label))
            labels[count++] = label;
    }
    if (!PUT(TAGS, PyTuple_New(count)))
        return -1;
    for (Py_ssize_t i = 0; i < count; i++)
        PyTuple_SET_ITEM(row->made[TAGS], i, Py_NewRef(labels[i]));
    return 1;
}

int put_category(Parser *self, Row *row)
{
    PyObject *tags = row->made[TAGS], *category = OF(category);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tags); i++) {
        PyObject *lower = PyObject_CallMethodNoArgs(PyTuple_GET_ITEM(tags, i), self->lower);
        int known = lower == NULL ? -1 : PySet_Contains(self->categories, lower);
        Py_XDECREF(lower);
        if (known != 0)
            return known < 0 ? -1 : PUT(CATEGORY, Py_NewRef(PyTuple_GET_ITEM(tags, i)));
    }
    if (!has_text(category) && PyTuple_GET_SIZE(tags) > 0)
        category = PyTuple_GET_ITEM(tags, 0);
    return put_text(row, CATEGORY, category, TEXT_MAX);
}

/* Append "/" and a slug, or nothing where there is none; 0 when no address can have it. */
static int add_slug(char *address, Py_ssize_t *size, PyObject *slug)
{
    if (!has_text(slug))
        return 1;
    if (!PyUnicode_IS_ASCII(slug) || PyUnicode_GET_LENGTH(slug) > SLUG_MAX)
        return 0;
    const unsigned char *at = PyUnicode_1BYTE_DATA(slug);
    address[(*size)++] = '/';
    for (Py_ssize_t i = 0; i < PyUnicode_GET_LENGTH(slug); i++) {
        if (!Py_ISALNUM(at[i]) && at[i] != '_' && at[i] != '-')
            return 0;
        address[(*size)++] = (char)at[i];
    }
    return 1;
}

int put_url(Parser *self, Row *row)
{
    char address[sizeof SITE + 8 + 2 * (SLUG_MAX + 1)];
    const char *start = has_text(OF_EVENT(slug)) ? SITE "event" : SITE "market";
    Py_ssize_t size = (Py_ssize_t)strlen(start), before = size;
    memcpy(address, start, (size_t)size);
    if (!add_slug(address, &size, OF_EVENT(slug)) || !add_slug(address, &size, OF(slug)) || size == before)
        return PUT(URL, Py_NewRef(Py_None));
    return PUT(URL, PyUnicode_FromStringAndSize(address, size));
}

/* What was returned for the same texts last time; else call for it and remember that. `texts` of them are in `known`. */
static int put_remembered(Row *row, int place, PyObject **known, PyObject *const *texts, int count, PyObject *found)
{
    if (found == NULL)
        return left();
    for (int i = 0; i < count; i++)
        Py_XSETREF(known[i], Py_NewRef(texts[i]));
    Py_XSETREF(known[count], found);
    return found != Py_None && PUT(place, Py_NewRef(found));
}

static int is_known(PyObject *const *known, PyObject *const *texts, int count)
{
    for (int i = 0; i < count; i++)
        if (known[i] != texts[i] && (known[i] == NULL || !PyUnicode_Check(known[i]) || !PyUnicode_Check(texts[i])
                                     || PyUnicode_Compare(known[i], texts[i]) != 0))
            return 0;
    return known[count] != NULL;
}

int put_date(Parser *self, Row *row, int place, PyObject *text)
{
    PyObject **known = self->last_date[place == GAME_START];
    if (!has_text(text))
        return PUT(place, Py_NewRef(Py_None));
    if (is_known(known, &text, 1))
        return known[1] != Py_None && PUT(place, Py_NewRef(known[1]));
    return put_remembered(row, place, known, &text, 1, PyObject_CallOneArg(self->date, text));
}

int put_rules_hash(Parser *self, Row *row)
{
    PyObject *texts[] = {OF(description), OF(resolution_source)};
    if (is_known(self->last_rules, texts, 2))
        return PUT(RULES_HASH, Py_NewRef(self->last_rules[2]));
    return put_remembered(row, RULES_HASH, self->last_rules, texts, 2, PyObject_CallOneArg(self->rules_hash, row->row));
}

/* What tells one schedule of a page from another; 0 when it is too long to be remembered. */
static Py_ssize_t fee_key(Parser *self, Row *row, char key[FEE_BYTES])
{
    PyObject *schedule = OF(fee_schedule);
    if (OF(fees_enabled) == Py_False)
        return (Py_ssize_t)strlen(strcpy(key, "none"));
    if (!Py_IS_TYPE(schedule, self->schedule))
        return 0;
    const Py_ssize_t places[] = {self->schedule_at.rate, self->schedule_at.exponent, self->schedule_at.rebate_rate};
    Py_ssize_t size = 0;
    for (int i = 0; i < 3; i++) {
        Py_buffer view;
        if (PyObject_GetBuffer(slot(schedule, places[i]), &view, PyBUF_SIMPLE) < 0)
            return 0;
        Py_ssize_t length = view.len;
        if (size + length < FEE_BYTES) {
            memcpy(key + size, view.buf, (size_t)length);
            key[size + length] = ',';
        }
        size += length + 1;
        PyBuffer_Release(&view);
        if (size > FEE_BYTES)
            return 0;
    }
    return size;
}

int put_fee(Parser *self, Row *row)
{
    KnownFee asked;
    asked.size = fee_key(self, row, asked.key);
    if (asked.size == 0)
        return PyErr_Occurred() ? left() : 0;
    for (int i = 0; i < self->fee_count; i++)
        if (self->fees[i].size == asked.size && memcmp(self->fees[i].key, asked.key, (size_t)asked.size) == 0)
            return PUT(FEE, Py_NewRef(self->fees[i].fee));
    PyObject *given[] = {row->row, row->made[FETCHED_AT]};
    asked.fee = PyObject_Vectorcall(self->fee, given, 2, NULL);
    if (asked.fee == NULL)
        return left();
    if (asked.fee == Py_None || self->fee_count == FEES) {
        row->made[FEE] = asked.fee; /* released with the row */
        return asked.fee != Py_None;
    }
    self->fees[self->fee_count++] = asked;
    return PUT(FEE, Py_NewRef(asked.fee));
}
