/* What a set of outcomes left while it was observed: the twin of `_sums` and `_stretches` in measures/outcome_sums.py. */

#include "mine_outcomes.h"

static int64_t greater(int64_t one, int64_t other)
{
    return one > other ? one : other;
}

static void close_stretch(Stretch *self, Cell *told)
{
    if (self->open && self->lasted > 0) {
        double deepest = (double)self->deepest / ((double)FEE_SETS * MICROS);
        told[0].f += self->lasted;
        told[1].i += self->fresh;
        told[2].f = self->lasted > told[2].f ? self->lasted : told[2].f;
        told[3].f = deepest > told[3].f ? deepest : told[3].f;
        if (self->since == 0)
            told[4].i = self->until;
        if (self->until == NS_HOUR)
            told[5].i = NS_HOUR - self->since;
    }
    self->open = 0;
}

static void add_stretch(Stretch *self, Cell *told, int64_t margin, int64_t at, int64_t end, double lasted)
{
    if (margin <= 0)
        return;
    if (!self->open || self->until != at) {
        close_stretch(self, told);
        *self = (Stretch){greater(at, 0), at, margin, 0.0, 1, at >= 0};
    }
    self->until = end;
    self->lasted += lasted;
    self->deepest = greater(margin, self->deepest);
}

void state_add(Cell *told, Stretches *stretches, const Leg *sums, int64_t at, int64_t end, int exhaustive)
{
    double lasted = seconds(end - (at > 0 ? at : 0));
    int offered = sums->asked == sums->known;
    int64_t margin = (sums->bid - MICROS) * FEE_SETS, net = margin - sums->bid_fee;
    told[SET_S].f += lasted;
    told[BIDS_S].f += (double)sums->bid / MICROS * lasted;
    if (offered) {
        told[ASKED_S].f += lasted;
        told[ASKS_S].f += (double)sums->ask / MICROS * lasted;
    }
    if (offered && exhaustive) {
        int64_t buying = (MICROS - sums->ask) * FEE_SETS;
        margin = greater(margin, buying);
        net = greater(net, buying - sums->ask_fee);
    }
    add_stretch(&stretches->gross, told + BEYOND, margin, at, end, lasted);
    add_stretch(&stretches->net, told + NET, net, at, end, lasted);
}

void stretches_close(Stretches *self, Cell *told)
{
    close_stretch(&self->gross, told + BEYOND);
    close_stretch(&self->net, told + NET);
}
