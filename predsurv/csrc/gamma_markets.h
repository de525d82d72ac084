/* A parser of Gamma's rows, and a row that it reads; see gamma_markets.c. */

#ifndef PREDSURV_GAMMA_MARKETS_H
#define PREDSURV_GAMMA_MARKETS_H

#include "gamma_values.h"
#include "module.h"

#define TEXT_MAX 512          /* QUESTION_CHARS_MAX */
#define FEES 8                /* schedules that are remembered while a page is read */
#define FEE_BYTES 64

/* The arguments of a market, by name, in the order of `names`. */
enum { VENUE, MARKET_ID, EVENT_ID, QUESTION, OUTCOMES, STATUS, TICK_SIZE, MIN_ORDER_SIZE, FETCHED_AT, SERIES_ID, DESCRIPTION,
       CATEGORY, TAGS, NEG_RISK, MUTUALLY_EXCLUSIVE, EXHAUSTIVE, FEE, MIN_TAKER_BUY, VOLUME, VOLUME_24H, LIQUIDITY, CLOSE_TIME,
       URL, RULES_HASH, TRADABLE, GAME_START, REWARD_MIN_SIZE, REWARD_MAX_SPREAD, EVENT_TITLE, VERSION, ARGUMENTS };

enum { CREATED, ACTIVE, PAUSED, CLOSED, RESOLVED, DISPUTED, STATUSES };

#define ROW_FIELDS(X) X(condition_id) X(question) X(slug) X(description) X(resolution_source) X(category) X(version) \
    X(market_type) X(uma_resolution_status) X(end_date) X(game_start_time) X(outcomes) X(clob_token_ids) X(position_ids) \
    X(volume) X(volume_num) X(volume24hr) X(liquidity) X(liquidity_num) X(order_price_min_tick_size) X(order_min_size) \
    X(rewards_min_size) X(rewards_max_spread) X(active) X(closed) X(archived) X(enable_order_book) X(accepting_orders) \
    X(rfq_enabled) X(neg_risk) X(fees_enabled) X(fee_schedule) X(events) X(tags)
#define EVENT_FIELDS(X) X(id) X(slug) X(title) X(neg_risk) X(neg_risk_augmented) X(series) X(tags)
#define FEE_FIELDS(X) X(rate) X(exponent) X(rebate_rate)
#define PLACE(name) Py_ssize_t name;

typedef struct { char key[FEE_BYTES]; Py_ssize_t size; PyObject *fee; } KnownFee;

typedef struct {
    PyObject_HEAD
    /* References, gone through together up to `fees`. */
    PyTypeObject *market, *outcome, *row, *event, *series, *tag, *schedule;
    PyObject *argument_names, *venue, *min_taker_buy, *version, *lower, *statuses[STATUSES];
    PyObject *texts, *date, *fee, *rules_hash, *categories; /* of market_parser.py */
    PyObject *last_date[2][2], *last_rules[3];              /* what they were called with last, and what they returned */
    KnownFee fees[FEES];
    int fee_count;
    struct { ROW_FIELDS(PLACE) } row_at;
    struct { EVENT_FIELDS(PLACE) } event_at;
    struct { FEE_FIELDS(PLACE) } schedule_at;
    Py_ssize_t series_id_at, label_at;
} Parser;

/* A row that is read: its fields, those of its event (NULL without one), and what the market is made of. */
typedef struct { PyObject *row, *event, *made[ARGUMENTS]; } Row;

#define OF(name) slot(row->row, self->row_at.name)
#define OF_EVENT(name) (row->event == NULL ? Py_None : slot(row->event, self->event_at.name))
#define PUT(place, value) ((row->made[place] = (value)) != NULL)

/* After a call that failed: 0 when the row is left to Python, where it fails again and is told, -1 for what is no error. */
static inline int left(void)
{
    if (!PyErr_ExceptionMatches(PyExc_Exception))
        return -1;
    PyErr_Clear();
    return 0;
}

static inline int put_flag(Row *row, int place, int value) { return PUT(place, Py_NewRef(value ? Py_True : Py_False)); }

/* A text of at most `most` characters, None where there is none; 0 when it is longer. */
static inline int put_text(Row *row, int place, PyObject *text, Py_ssize_t most)
{
    if (!has_text(text))
        return PUT(place, Py_NewRef(Py_None));
    return PyUnicode_GET_LENGTH(text) <= most && PUT(place, Py_NewRef(text));
}

/* Each puts what its name says into what the market is made of: 1 done, 0 left to Python or an exception, -1 an exception. */
int put_outcomes(Parser *self, Row *row);
int put_tags(Parser *self, Row *row);
int put_category(Parser *self, Row *row);
int put_url(Parser *self, Row *row);
int put_date(Parser *self, Row *row, int place, PyObject *text);
int put_rules_hash(Parser *self, Row *row);
int put_fee(Parser *self, Row *row);

#endif
