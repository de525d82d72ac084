/* Reads Kalshi's level changes; see wire_text.h for what is taken.

   Nearly every frame has its fields in the same order with nothing in between. `quick_delta` takes that form; whatever it
   takes, the others would take as the same. */

#include "kalshi_scan.h"

#define NUMBER_DIGITS_MAX 18

/* Take a number as JSON writes one without sign and fraction; NULL when it is none. */
static const char *take_integer(const char *at, const char *end, int64_t *value)
{
    const char *start = at;
    int64_t number = 0;
    while (at < end && *at >= '0' && *at <= '9' && at - start < NUMBER_DIGITS_MAX)
        number = number * 10 + (*at++ - '0');
    if (at == start || (*start == '0' && at - start > 1) || (at < end && *at >= '0' && *at <= '9'))
        return NULL;
    *value = number;
    return at;
}

/* Decimal text with an optional sign as micros; 0 when it is no number in its present form. */
static int take_signed(Text text, int64_t *value)
{
    int negative = text.size > 0 && *text.at == '-';
    int64_t size = micros((Text){text.at + negative, text.size - negative});
    *value = negative ? -size : size;
    return size >= 0;
}

enum { TICKER = 1, SIDE = 2, PRICE = 4, CHANGE = 8, TIME = 16, OLD_PRICE = 32, OLD_CHANGE = 64, BODY_FIELDS = 15 };

/* Take the value of a field of the body; NULL when it is not in its present form. */
static const char *take_body_value(Text name, const char *at, const char *end, Delta *out, unsigned *said)
{
    unsigned seen = *said;
    Text text;
    int64_t number = 0;
    int is_text = at < end && *at == '"';
    at = is_text ? take_text(at, end, &text) : take_integer(at, end, &number);
    if (at == NULL)
        return NULL;
    if (IS(name, "market_ticker") && is_text) {
        ONCE(TICKER, NULL);
        out->ticker = text;
    } else if (IS(name, "side") && is_text) {
        ONCE(SIDE, NULL);
        out->no = IS(text, "no");
        if (!out->no && !IS(text, "yes"))
            return NULL;
    } else if (IS(name, "price_dollars") && is_text) {
        ONCE(PRICE, NULL);
        if (!is_price(out->price = micros(text)))
            return NULL;
    } else if (IS(name, "delta_fp") && is_text) {
        ONCE(CHANGE, NULL);
        if (!take_signed(text, &out->change))
            return NULL;
    } else if (IS(name, "ts_ms") && !is_text) {
        ONCE(TIME, NULL);
        out->ts_ms = number;
    } else if (IS(name, "price") && !is_text) { /* of the form before, where both were sent */
        ONCE(OLD_PRICE, NULL);
    } else if (IS(name, "delta") && !is_text) {
        ONCE(OLD_CHANGE, NULL);
    } else if (IS(name, "market_ticker") || IS(name, "side") || IS(name, "price_dollars") || IS(name, "delta_fp")
               || IS(name, "ts_ms") || IS(name, "price") || IS(name, "delta")) {
        return NULL;
    }
    *said = seen;
    return at;
}

static const char *take_body(const char *at, const char *end, Delta *out)
{
    unsigned seen = 0;
    Text name;
    if (at >= end || *at++ != '{')
        return NULL;
    for (;;) {
        if ((at = take_name(at, end, &name)) == NULL || (at = take_body_value(name, at, end, out, &seen)) == NULL
            || (at = skip_spaces(at, end)) >= end)
            return NULL;
        if (*at == '}')
            return (seen & BODY_FIELDS) == BODY_FIELDS ? at + 1 : NULL;
        if (*at++ != ',')
            return NULL;
    }
}

enum { TYPE = 1, SID = 2, SEQ = 4, MSG = 8, SENDING = 16, FRAME_FIELDS = 15 };

/* Take the value of a field of the envelope; NULL when it is not in its present form. */
static const char *take_value(Text name, const char *at, const char *end, Delta *out, unsigned *said)
{
    unsigned seen = *said;
    Text text;
    if (IS(name, "msg")) {
        ONCE(MSG, NULL);
        at = take_body(at, end, out);
    } else if (IS(name, "type")) {
        ONCE(TYPE, NULL);
        at = take_text(at, end, &text);
        if (at == NULL || !IS(text, "orderbook_delta"))
            return NULL;
    } else if (IS(name, "sid")) {
        ONCE(SID, NULL);
        at = take_integer(at, end, &out->sid);
    } else if (IS(name, "seq")) {
        ONCE(SEQ, NULL);
        at = take_integer(at, end, &out->seq);
    } else if (IS(name, "sending_ts_ms")) {
        ONCE(SENDING, NULL);
        at = take_integer(at, end, &out->sending_ts_ms);
    } else {
        return NULL;
    }
    *said = seen;
    return at;
}

/* The same as take_integer, of what may be NULL. */
static inline const char *rest_of_integer(const char *at, const char *end, int64_t *value)
{
    return at == NULL ? NULL : take_integer(at, end, value);
}

/* Take a body as it is nearly always written; NULL when it is not. */
static inline const char *quick_body(const char *at, const char *end, Delta *out)
{
    Text ignored;
    at = rest_of_text(AFTER(at, end, "{\"market_ticker\":\""), end, &out->ticker);
    at = rest_of_text(AFTER(at, end, ",\"market_id\":\""), end, &ignored);
    at = rest_of_number(AFTER(at, end, ",\"price_dollars\":\""), end, &ignored, &out->price);
    at = AFTER(at, end, ",\"delta_fp\":\"");
    int negative = at != NULL && at < end && *at == '-';
    at = rest_of_number(at == NULL ? NULL : at + negative, end, &ignored, &out->change);
    if ((at = AFTER(at, end, ",\"side\":\"")) == NULL || !is_price(out->price))
        return NULL;
    out->change = negative ? -out->change : out->change;
    out->no = at < end && *at == 'n';
    at = out->no ? AFTER(at, end, "no\"") : AFTER(at, end, "yes\"");
    const char *dated = AFTER(at, end, ",\"ts\":\"");
    at = dated == NULL ? at : rest_of_text(dated, end, &ignored);
    at = rest_of_integer(AFTER(at, end, ",\"ts_ms\":"), end, &out->ts_ms);
    return AFTER(at, end, "}");
}

/* Read a frame as it is nearly always written; 0 when it is not. */
static inline int quick_delta(const char *at, const char *end, Delta *out)
{
    at = rest_of_integer(AFTER(at, end, "{\"type\":\"orderbook_delta\",\"sid\":"), end, &out->sid);
    at = rest_of_integer(AFTER(at, end, ",\"seq\":"), end, &out->seq);
    at = quick_body(AFTER(at, end, ",\"msg\":"), end, out);
    const char *sent = AFTER(at, end, ",\"sending_ts_ms\":");
    at = sent == NULL ? at : take_integer(sent, end, &out->sending_ts_ms);
    at = AFTER(at, end, "}");
    return at != NULL && at == end;
}

int read_delta(PyObject *frame, Delta *out)
{
    const char *at = PyBytes_AS_STRING(frame), *end = at + PyBytes_GET_SIZE(frame);
    unsigned seen = 0;
    Text name;
    if (at == end || *at != '{' || !plain(at, end - at))
        return 0;
    if (quick_delta(at, end, out))
        return 1;
    *out = (Delta){.sid = -1};
    at++;
    for (;;) {
        if ((at = take_name(at, end, &name)) == NULL || (at = take_value(name, at, end, out, &seen)) == NULL
            || (at = skip_spaces(at, end)) >= end)
            return 0;
        if (*at == '}')
            return (seen & FRAME_FIELDS) == FRAME_FIELDS && at + 1 == end;
        if (*at++ != ',')
            return 0;
    }
}
