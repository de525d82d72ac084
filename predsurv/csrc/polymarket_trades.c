/* Polymarket's public trades, read without the texts in between; see wire_text.h.

   What they become is what market_facts.py makes of them: the same id of all fields, as the venue gives none. */

#include "polymarket_trades.h"

#include "parts.h"

#define FRAME_MAX 1024 /* of a trade, which has some 500 bytes */

/* Take the value of a field; 0 when it is not in its present form. */
static int take_field(Text name, Text value, TradeMessage *out, unsigned *said)
{
    unsigned seen = *said;
    if (IS(name, "asset_id")) {
        ONCE(1u, 0);
        out->token = value;
    } else if (IS(name, "price")) {
        ONCE(2u, 0);
        out->price_text = value;
        if (!is_price(out->price = micros(value)))
            return 0;
    } else if (IS(name, "size")) {
        ONCE(4u, 0);
        out->size_text = value;
        if ((out->size = micros(value)) < 0)
            return 0;
    } else if (IS(name, "side")) {
        ONCE(8u, 0);
        out->side = value;
    } else if (IS(name, "timestamp")) {
        ONCE(16u, 0);
        out->stamp_text = value;
        if ((out->stamp = stamp_of(value)) < 0)
            return 0;
    } else if (IS(name, "event_type")) {
        ONCE(32u, 0);
        if (!IS(value, "last_trade_price"))
            return 0;
    } else if (IS(name, "transaction_hash")) {
        ONCE(64u, 0);
        out->transaction = value;
    }
    *said = seen;
    return 1;
}

int read_trade(PyObject *frame, TradeMessage *out)
{
    const char *at = PyBytes_AS_STRING(frame), *end = at + PyBytes_GET_SIZE(frame);
    unsigned seen = 0;
    Text name, value;
    out->transaction = (Text){at, 0};
    if (end - at > FRAME_MAX || at == end || *at != '{' || !plain(at, end - at))
        return 0;
    at++;
    for (;;) {
        if ((at = take_name(at, end, &name)) == NULL || (at = take_text(at, end, &value)) == NULL
            || IS(name, "bids") || IS(value, "bids") /* as what is queued for verification says that it is a book */
            || !take_field(name, value, out, &seen) || (at = skip_spaces(at, end)) >= end)
            return 0;
        if (*at == '}')
            return (seen & 63u) == 63u && at + 1 == end;
        if (*at++ != ',')
            return 0;
    }
}

static char *append_text(char *to, Text text, char after)
{
    memcpy(to, text.at, (size_t)text.size);
    to += text.size;
    *to++ = after;
    return to;
}

/* An id made of all fields: what market_facts.py's _trade_id gives. */
static PyObject *id_of(const Module *module, const TradeMessage *said)
{
    char fields[FRAME_MAX + 8], *end = append_text(fields, said->token, '|'); /* all of them lie in one frame */
    end = append_text(end, said->side, '|');
    end = append_text(end, said->price_text, '|');
    end = append_text(end, said->size_text, '|');
    end = append_text(end, said->stamp_text, '|');
    end = append_text(end, said->transaction, 0) - 1;
    PyObject *bytes = PyBytes_FromStringAndSize(fields, end - fields), *digest = NULL, *id = NULL;
    if (bytes != NULL) {
        PyObject *given[] = {bytes, module->digest_size};
        digest = PyObject_Vectorcall(module->blake2b, given, 1, module->digest_names);
    }
    if (digest != NULL)
        id = PyObject_CallMethodNoArgs(digest, module->hexdigest);
    Py_XDECREF(bytes);
    Py_XDECREF(digest);
    return id;
}

PyObject *trade_event(Module *module, const TradeMessage *said, PyObject *key, PyObject *ts_recv)
{
    PyObject *ts_venue = is_plausible(said->stamp) ? PyLong_FromLongLong(said->stamp * MICROS) : Py_NewRef(Py_None);
    PyObject *price = price_of(module, said->price), *size = PyLong_FromLongLong(said->size);
    PyObject *id = id_of(module, said), *trade = NULL;
    PyObject *taker = IS(said->side, "BUY") ? module->buy : IS(said->side, "SELL") ? module->sell : Py_None;
    if (ts_venue != NULL && price != NULL && size != NULL && id != NULL) {
        PyObject *given[] = {key, ts_recv, ts_venue, price, size, taker, id};
        trade = PyObject_Vectorcall((PyObject *)module->trade, given, 7, NULL);
    }
    Py_XDECREF(ts_venue);
    Py_XDECREF(price);
    Py_XDECREF(size);
    Py_XDECREF(id);
    return trade;
}

int trades_prepare(Module *module)
{
    PyObject *hashlib = PyImport_ImportModule("hashlib");
    module->blake2b = hashlib == NULL ? NULL : PyObject_GetAttrString(hashlib, "blake2b");
    Py_XDECREF(hashlib);
    if (module->blake2b == NULL)
        return -1;
    module->hexdigest = PyUnicode_InternFromString("hexdigest");
    module->digest_size = PyLong_FromLong(16);
    module->digest_names = Py_BuildValue("(s)", "digest_size");
    return module->hexdigest != NULL && module->digest_size != NULL && module->digest_names != NULL ? 0 : -1;
}
