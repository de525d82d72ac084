/* Runs of quotes: the twin of measures/paths.py, of imagined quotes too (measures/trading.py). */

#include "mine.h"

#define HORIZON (60 * NS_SECOND)
#define AHEAD (10 * NS_SECOND)
#define MINUTE (60 * NS_SECOND)
#define JUMP (0.05 - 1e-9)

static double known(double value)
{
    return isnan(value) ? 0.0 : value;
}

/* Append a row as a quote of run `run`, in the visit of this number. */
static Quote quote_of(const Held *row, int64_t run, int64_t visit)
{
    const Cell *cells = row->cells;
    return (Quote){
        cells[AT].i, row->end, run, 0, visit, cells[BID].f, cells[ASK].f, known(cells[BID_SZ].f), known(cells[ASK_SZ].f),
        cells[MID].f, cells[DEPTH + REACH_5C].f, cells[DEPTH + REACHES + REACH_5C].f, 0.0,
    };
}

/* Find the quotes of an instrument; a crossed book, between two updates, lets the quotes before it hold on. */
static size_t find_quotes(Paths *self, const Visits *visits, const Held *held, size_t count)
{
    size_t found = 0, visit = visits->count;
    int goes_on = 0;
    for (size_t i = 0; i < count; i++) {
        const Cell *cells = held[i].cells;
        if (cells[TRUSTED].i && cells[CROSSED].i) {
            if (goes_on && held[i].visit == visit)
                self->quotes[found - 1].end = held[i].end;
            continue;
        }
        int is_known = cells[TRUSTED].i && !isnan(cells[MID].f);
        if (is_known) {
            self->runs += !(goes_on && held[i].visit == visit);
            self->quotes[found++] = quote_of(&held[i], self->runs, visits->visit[held[i].visit]);
        }
        goes_on = is_known;
        visit = held[i].visit;
    }
    return found;
}

/* Return the order flow from one quote to the next: Cont, Kukanov, Stoikov 2014. */
static double flow_between(const Quote *old, const Quote *new)
{
    return (new->bid >= old->bid ? new->bid_sz : 0.0) - (new->bid <= old->bid ? old->bid_sz : 0.0)
        + (new->ask >= old->ask ? old->ask_sz : 0.0) - (new->ask <= old->ask ? new->ask_sz : 0.0);
}

/* Return the shares that left both best queues from one quote to the next. */
static double gone_between(const Quote *old, const Quote *new)
{
    double gone = 0.0;
    if (new->bid < old->bid)
        gone += old->bid_sz;
    else if (new->bid == old->bid && new->bid_sz < old->bid_sz)
        gone += old->bid_sz - new->bid_sz;
    if (new->ask > old->ask)
        gone += old->ask_sz;
    else if (new->ask == old->ask && new->ask_sz < old->ask_sz)
        gone += old->ask_sz - new->ask_sz;
    return gone;
}

/* Add jumps, shares that left and shares that waited of a run; sum up its order flow. */
static void add_path(Cell *sums, Quote *run, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sums[3].f += (run[i].bid_sz + run[i].ask_sz) * seconds(run[i].end - run[i].at);
        if (i == 0)
            continue;
        sums[1].i += fabs(run[i].mid - run[i - 1].mid) >= JUMP;
        sums[2].f += gone_between(&run[i - 1], &run[i]);
        run[i].flow_to = run[i - 1].flow_to + flow_between(&run[i - 1], &run[i]);
    }
}

/* Add the integral of (mid(t + 60 s) - mid(t))² over t, and that of 1, of a run to the sums of its visit. */
static void add_variance(Cell *sums, const Quote *run, size_t count)
{
    int64_t at = run[0].at, last = run[count - 1].end - HORIZON;
    size_t now = 0, later = 0;
    if (last <= at)
        return;
    sums[1].f += seconds(last - at);
    while (at < last) {
        while (run[now].end <= at)
            now++;
        while (run[later].end <= at + HORIZON)
            later++;
        int64_t next = run[now].end < run[later].end - HORIZON ? run[now].end : run[later].end - HORIZON;
        double moved = run[later].mid - run[now].mid;
        next = next < last ? next : last;
        sums[2].f += moved * moved * seconds(next - at);
        at = next;
    }
}

/* Add the samples of a run to the sums that correlations are made of. */
static void add_foresight(Cell *sums, const Quote *run, size_t count)
{
    size_t before = 0, later = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t at = run[i].at;
        if (at - AHEAD < run[0].at || at + AHEAD >= run[count - 1].end)
            continue;
        while (before + 1 < count && run[before + 1].at <= at - AHEAD)
            before++;
        while (later + 1 < count && run[later + 1].at <= at + AHEAD)
            later++;
        double y = run[later].mid - run[i].mid, sum = run[i].bid_sz + run[i].ask_sz;
        double signals[2] = {sum != 0.0 ? (run[i].bid_sz - run[i].ask_sz) / sum : 0.0, run[i].flow_to - run[before].flow_to};
        sums[1].i++;
        sums[2].f += y;
        sums[3].f += y * y;
        for (int signal = 0; signal < 2; signal++) {
            double x = signals[signal];
            sums[4 + signal].f += x;
            sums[6 + signal].f += x * x;
            sums[8 + signal].f += x * y;
        }
    }
}

static int64_t floor_minutes(int64_t time)
{
    return time / MINUTE - (time % MINUTE < 0);
}

/* Count the full minutes at which quotes of a run are imagined, one a side. */
static int64_t imagined_of(const Quote *run, size_t count, int64_t base)
{
    int64_t made = 0, ended = run[count - 1].end;
    for (size_t i = 0; i < count; i++) {
        int64_t first = -floor_minutes(base - run[i].at);
        int64_t hold = run[i].end - base - 1, rest = ended - base - MINUTE;
        int64_t last = floor_minutes(hold < rest ? hold : rest);
        made += last >= first ? 2 * (last - first + 1) : 0;
    }
    return made;
}

/* A row of each sheet for an instrument. */
typedef struct { Cell *path, *foresight, *imagined; } Sums;

static int measure_run(Paths *self, const Sums *sums, Quote *run, size_t count)
{
    Cell *variance = sheet_row_of(&self->variance, run[0].visit);
    if (variance == NULL)
        return -1;
    for (size_t i = 0; i < count; i++)
        run[i].ended = run[count - 1].end;
    add_path(sums->path, run, count);
    add_variance(variance, run, count);
    add_foresight(sums->foresight, run, count);
    sums->imagined[1].i += imagined_of(run, count, sums->path[0].i * STRIDE);
    return 0;
}

static int make_room(Paths *self, size_t count)
{
    if (count <= self->room)
        return 0;
    Quote *grown = PyMem_RawRealloc(self->quotes, 2 * count * sizeof(Quote));
    if (grown == NULL)
        return -1;
    self->quotes = grown;
    self->room = 2 * count;
    return 0;
}

int paths_measure(Paths *self, const Visits *visits, Trades *trades, const Held *held, size_t count)
{
    if (make_room(self, count) < 0)
        return -1;
    size_t found = find_quotes(self, visits, held, count);
    if (found == 0)
        return 0;
    Sums sums = {sheet_row(&self->paths), sheet_row(&self->foresight), sheet_row(&self->imagined)};
    if (sums.path == NULL || sums.foresight == NULL || sums.imagined == NULL)
        return -1;
    sums.path[0].i = sums.foresight[0].i = sums.imagined[0].i = held[0].cells[CODE].i;
    for (size_t start = 0, end; start < found; start = end) {
        for (end = start + 1; end < found && self->quotes[end].run == self->quotes[start].run;)
            end++;
        if (measure_run(self, &sums, self->quotes + start, end - start) < 0)
            return -1;
    }
    if (sums.foresight[1].i == 0)
        self->foresight.rows--; /* nothing was sampled */
    return trades_measure(self, trades, held[0].cells[CODE].i, found);
}
