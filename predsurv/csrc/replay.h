/* The replay of recorded rows on books, up to the next one that Python has to see: see trade/column_replay.py. */

#ifndef PREDSURV_REPLAY_H
#define PREDSURV_REPLAY_H

#include "rows.h"
#include "state.h"

#define STRATEGIES_MAX 64
#define GROUPS_MAX 4 /* of one instrument */
#define CURSORS_MAX 256
#define SEEN_LEVELS 20 /* of a side of a book of which something is consumed: LEVELS in engine/books/available.py */

enum { ASKED_EVENT, ASKED_EXCLUSIVE, ASKED_OUTCOMES, ASKED };

enum { HEED_ALL = 1, HEED_TRADES = 2, HEED_WHOLE_BOOKS = 4 }; /* rows of an instrument that go to Python */
enum { RUN_END, RUN_BOUND, RUN_ROW, RUN_EVENT, RUN_PAUSE, RUN_LOSS, RUN_SHOWN };

/* Bounds on a book, INT64_MIN and INT64_MAX where there are none. `weighed`: on how its sides compare, too. */
typedef struct {
    int weighed;
    int64_t spread_min, spread_max, bid_min, bid_max, ask_min, ask_max, imbalance_min, imbalance_max;
    Py_ssize_t levels;
} Bounds;

/* What a strategy wants to hear, as engine/interest.py says. */
typedef struct {
    int books; /* 0 every change, 1 at the best price, 2 never */
    int engaged; /* while it is: 0 every change, 1 at the best price, 2 other best prices */
    int everything, best_sizes, trades, coverage, filter_engaged, bounded, bounded_event, exclusive;
    Bounds where;
    int64_t ask_sum_max, bid_sum_min;
} Filter;

/* What a strategy waits for in one book: nothing, or what is within bounds. */
typedef struct { int strategy, nothing; Bounds bounds; } Awaited;

/* The best prices of `members` books that pay together, summed up. `missing` have no ask; `whole`: asks count. */
typedef struct { int64_t bids, asks; Py_ssize_t members, missing; int whole; } Group;

/* A level whose changes Python has to see; with `through` those of every level beyond it as well. */
typedef struct { int64_t price; int side, through; } Place;

/* What counts as consumed of a level: strategies do not see it. */
typedef struct { int64_t price, size; int side; } Taken;

/* Shares that are held, of the instrument whose book this is or, `mirrored`, of its other outcome. */
typedef struct { int32_t instrument; int mirrored; int64_t size, cost; } Holding;

typedef struct {
    PyObject *key, *state; /* of the cache; NULL while there is none */
    Book *book;            /* of the cache, NULL while there is none */
    int32_t primary, mirror;
    int32_t groups[GROUPS_MAX];
    int group_count;
    int32_t asked[ASKED];  /* the groups whose sums event filters look at, -1 for none */
    int64_t bid, ask;      /* best prices that its groups contain, INT64_MIN for none */
    uint64_t selected, engaged; /* a bit for each strategy */
    Place *places;
    Py_ssize_t place_count, place_room;
    Taken *taken;
    Py_ssize_t taken_count, taken_room;
    Awaited *awaited;
    Py_ssize_t awaited_count, awaited_room;
    uint8_t heeded;          /* rows that go to Python */
    uint8_t gapped;          /* the next whole book goes to Python */
} Instrument;

/* A file that takes part: rows, or events of Python as (time, segment, arrival, event). */
typedef struct {
    Rows *rows;
    PyObject *events;
    Py_ssize_t at;
    int64_t ts, segment, arrival; /* of its next */
} Cursor;

typedef struct {
    PyObject_HEAD
    Module *module;
    PyObject *books, *states, *told; /* told: what each broker remembers of trades */
    PyObject *show;        /* borrowed while it runs */
    int best_before;       /* what is shown comes with the best prices before it */
    PyObject *risk, *last_recv, *venue; /* told the time of what is shown */
    PyObject *calls[STRATEGIES_MAX], *views[STRATEGIES_MAX]; /* of those that may be called from here */
    uint64_t direct, blocked; /* which these are; whether nothing is shown to any */
    Instrument *instruments;
    Py_ssize_t count, room;
    Group *groups;
    Py_ssize_t group_count, group_room;
    Holding *held;
    Py_ssize_t held_count;
    int64_t floor, step;   /* what is held may not be worth less; how often to look at it */
    Filter filters[STRATEGIES_MAX];
    int strategies;
    uint64_t unheard;      /* strategies that wait for nothing but what books say that they wait for there */
    Cursor cursors[CURSORS_MAX];
    int cursor_count;
    Cursor *next;          /* NULL when there is none */
    int64_t until;         /* the next row of any other cursor comes no earlier */
    Py_ssize_t skipped;
    int64_t last;          /* time of the last row that was folded here */
    int64_t touched;       /* the instrument of the row that was taken last, -1 for none */
    struct { Rung *rungs; Py_ssize_t count, room; } spare[2]; /* for a whole book */
} Replay;

/* replay_levels.c: books and groups. */
static inline int book_known(const Book *book)
{
    if (book == NULL || !book->trusted)
        return 0;
    const Ladder *bids = (const Ladder *)book->bids, *asks = (const Ladder *)book->asks;
    return !bids->count || !asks->count || ladder_best_price(bids, 0) < ladder_best_price(asks, 0);
}
static inline const Ladder *side_of_book(const Instrument *instrument, int side)
{
    return (const Ladder *)(side == SIDE_ASK ? instrument->book->asks : instrument->book->bids);
}
int64_t left_at(const Instrument *instrument, int side, Rung rung);
int64_t best_seen(const Instrument *instrument, int side);
static inline int64_t best_shown(const Instrument *instrument, int side)
{
    return instrument->taken_count ? best_seen(instrument, side)
                                   : ladder_best_price(side_of_book(instrument, side), INT64_MIN);
}
void groups_follow(Replay *self, Instrument *instrument);
int spare_take(Replay *self, const Rows *rows);
void spare_exchange(Replay *self, Book *book);

/* replay_kernel.c: the book as the cache has it, NULL when it has none; -1 with an exception. */
int find_book(Replay *self, Instrument *instrument);

/* replay_worth.c */
int worth_too_little(Replay *self);
PyObject *replay_hold(Replay *self, PyObject *args);

/* replay_filter.c */
int bounds_read(Bounds *self, PyObject *given);
int filter_read(Filter *self, PyObject *given);
uint64_t wants_book_event(const Replay *self, const Instrument *instrument, const Row *row, const int64_t before[2]);
uint64_t wants_trade(const Replay *self, const Instrument *instrument);
int concerns_place(const Instrument *instrument, int side, int64_t price);

/* replay_events.c: the event of a cursor's next rows, which are taken. NULL with an exception. */
int events_prepare(Module *module);
PyObject *event_taken(Replay *self, Cursor *cursor);
PyObject *trade_of(const Replay *self, const Rows *rows, const Row *row);
PyObject *delta_of(const Replay *self, const Rows *rows, const Row *row);
int state_follow(Replay *self, Instrument *instrument, const Row *row);

/* replay_calls.c: strategies that are called without Python in between. */
int calls_read(Replay *self, PyObject *given);
void calls_clear(Replay *self);
int call_strategies(Replay *self, PyObject *event, int64_t ts, uint64_t *wanted, PyObject **answer);

/* Show a row that was folded, as an event whose reference is taken, to the strategies that want it (a bit for each);
   `before`: the best prices before, NULL for none.
   SHOWN, SHOWN_LAST when what is next has to be planned anew, -1 with an exception. */
enum { SHOWN = 1, SHOWN_LAST = 2 };
int show_event(Replay *self, PyObject *event, int64_t ts, const int64_t before[2], uint64_t wanted, int observed);

/* replay_trades.c */
int told_check(const Module *module, PyObject *told);
int trade_note(Replay *self, const Rows *rows, const Row *row);

#endif
