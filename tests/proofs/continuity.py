"""What verifying Polymarket's books by their hashes finds, and that it raises no false alarm.

``python -m tests.proofs.continuity [losses|clean|freezes|rotations]…``, all by default. The venue is scripted
(``tests.kit.oracle_polymarket``): its hashes are computed by the plain recipe, not by ours. What verifying costs is
measured by ``benchmarks.hash_checks``.
"""

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence

from msgspec import Struct, field

from predsurv.core.events import Connected, Gap, MarketEvent
from predsurv.core.ids import InstrumentKey
from predsurv.venues.polymarket.decoder import PolymarketCodec
from predsurv.venues.polymarket.market_parser import VENUE
from predsurv.venues.polymarket.shared_state import PolymarketSharedState
from predsurv.venues.streaming.policy import StreamPolicy
from predsurv.venues.streaming.session import ConnectionSession
from tests.kit.oracle_polymarket import TEXT_FORMS, TICK_SIZES, Token, Venue
from tests.kit.scripted_feed import Row, Run, rows, talk

TRIALS = 10_000
CLEAN = 1_000_000
FREEZES = 200
ROTATIONS = 1_000
TRADES = 0.03
"""Share of the bursts that are trades."""
NEVER_ANNOUNCED = 0.003
"""Share of the bursts that are trades told by their books only."""
SPLIT = 0.2
"""Share of the bursts that arrive in two parts."""

_MS = 1_000_000
_S = 1_000 * _MS


class Ear:
    """One connection to ``venue`` at a time of our own making (ns)."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.memory = PolymarketSharedState()
        self.codec = PolymarketCodec(1, self.memory)
        self.now = _S
        self.open(venue.keys, frozenset())

    def open(self, add: frozenset[InstrumentKey], drop: frozenset[InstrumentKey]) -> None:
        """Ask for books and get them."""
        self.codec.requests(add, drop)
        self.hear([self.venue.books(sorted(one.instrument_id for one in add))])

    def hear(self, frames: Sequence[bytes], passes: int = _MS) -> list[MarketEvent]:
        """Decode ``frames`` and check."""
        out: list[MarketEvent] = []
        self.codec.decode(frames, self.now, out)
        self.now += passes
        self.codec.audit(self.now, self.now, out)
        return out

    def line(self, name: str) -> tuple[dict[str, str], dict[str, str]]:
        """Return our book in the venue's words."""
        found = self.codec.verifier.books[name]
        return found.bids.levels, found.asks.levels


def losses() -> bool:
    """Lose one change and see whether the next burst of the token shows it, for every tick size."""
    shown = [_losses(tick_size, TRIALS // len(TICK_SIZES)) for tick_size in TICK_SIZES]
    return all(shown)


def _losses(tick_size: str, trials: int) -> bool:
    venue = Venue(1, tick_sizes=(tick_size,))
    (name,) = venue.tokens
    ear = Ear(venue)
    seen = healed = 0
    for _ in range(trials):
        ear.hear(venue.burst(name, venue.rng.randrange(1, 3)))
        venue.burst(name)
        before = ear.memory.counts.mismatched
        ear.hear(venue.burst(name))
        token = venue.tokens[name]
        right = ear.line(name) == _texts(token)
        seen += ear.memory.counts.mismatched > before
        healed += right
        ear.open(venue.keys, venue.keys)
    wrong = trials - healed
    overwritten = f"{trials:,} lost changes, {healed:,} overwritten by the next burst"
    print(f"tick size {tick_size}: {overwritten}; seen with it: {seen:,} of {wrong:,}")
    return seen >= wrong * 999 // 1000


def _texts(token: Token) -> tuple[dict[str, str], dict[str, str]]:
    bids, asks = ({token.price(tick): size for tick, size in token.sides[side].items()} for side in ("BUY", "SELL"))
    return bids, asks


class Clean(Struct):
    """What came of clean books: changes told and false alarms by tick size, books that hashes could not prove."""

    told: Counter[str] = field(default_factory=Counter)
    alarms: Counter[str] = field(default_factory=Counter)
    unproved: int = 0


def clean() -> bool:
    """Follow venues that lose nothing; every tick size, and every form of last trade prices that is plausible."""
    found = Clean()
    for seed, form in enumerate(TEXT_FORMS, 1):
        _follow(form, seed, -(-CLEAN // len(TEXT_FORMS)), found)
    for tick_size in TICK_SIZES:
        print(f"  tick size {tick_size:6}: {found.told[tick_size]:>9,} changes, {found.alarms[tick_size]} false alarms")
    told, alarms = found.told.total(), found.alarms.total()
    print(f"{told:,} clean changes: {alarms} false alarms, {found.unproved} books whose hashes proved nothing")
    return told >= CLEAN and not alarms and not found.unproved


def _follow(form: str, seed: int, changes: int, found: Clean) -> None:
    """Follow one venue for so many changes: bursts come in two reads, trades are announced late or never."""
    count = 3 * len(TICK_SIZES)
    venue = Venue(count, seed=seed, levels=6, form=TEXT_FORMS[form], tick_sizes=TICK_SIZES)
    ear, names, rng, told = Ear(venue), list(venue.tokens), venue.rng, 0
    while told < changes:
        name, draw = rng.choice(names), rng.random()
        if draw < TRADES:
            frames = venue.trade(name, venue.draw_price(name))[: 1 if draw < NEVER_ANNOUNCED else 2]
        else:
            frames = venue.burst(name, rng.randrange(1, 4))
            told += len(frames)
            found.told[venue.tokens[name].facts["tick_size"]] += len(frames)
        cut = rng.randrange(len(frames)) if draw < SPLIT else 0
        for part in (frames[:cut], frames[cut:]):
            for event in ear.hear(part, rng.randrange(3 * _MS)):
                if isinstance(event, Gap):
                    found.alarms[venue.tokens[event.key.instrument_id].facts["tick_size"]] += 1
                    ear.open(frozenset({event.key}), frozenset({event.key}))
    found.unproved += ear.memory.counts.unverifiable
    print(f"  {form}: {ear.memory.counts}")


def freezes() -> bool:
    """Freeze a connection that answers keepalives and see when it is given up."""
    policy, worst = StreamPolicy(), 0
    for number in range(FREEZES):
        venue = Venue(5, seed=number)
        session = ConnectionSession(VENUE, 1, PolymarketCodec(1, PolymarketSharedState()), policy, 0)
        session.subscriptions.change(venue.keys, frozenset(), 0)
        now, frozen_at = 0, 10 * _S + number * 77 * _MS
        session.receive([venue.books(venue.tokens)], now, now, [])
        flows = True
        while flows:
            now += policy.tick
            if now < frozen_at:
                session.receive(venue.burst(venue.rng.choice(list(venue.tokens))), now, now, [])
            elif now // _S % 10 == 0:
                session.receive([b"PONG"], now, now, [])
            flows = session.check(now, now, [])
            session.subscriptions.take_outgoing()
        worst = max(worst, now - frozen_at)
    print(f"{FREEZES} silent freezes with PONG: all found, the slowest after {worst / _S:.1f} s")
    return worst <= 30 * _S


def rotations() -> bool:
    """Replace connections all the time, each a little behind the truth, and compare every row."""
    return asyncio.run(_rotations())


async def _rotations() -> bool:
    venue = Venue(6)
    venue.lag = lambda: venue.rng.random() * 0.03
    run = Run(venue, lifetime=40 * _MS, per_connection=3, book_timeout=10 * _S, silence=100 * _S)
    await run.feed.watch(venue.keys)
    await run.opened()
    told: list[Row] = []
    lost = doubled = 0
    while len(run.of(Connected)) < ROTATIONS:
        await talk(venue, told, bursts=500)
    await run.until(run.equal)
    heard = rows(run.events)
    for name in venue.tokens:
        mine, said = ([row for row in some if row[0] == name] for some in (heard, told))
        lost += sum((Counter(said) - Counter(mine)).values())
        doubled += sum((Counter(mine) - Counter(said)).values())
    gaps = len(run.of(Gap))
    print(f"{len(run.of(Connected)):,} connections, {len(told):,} changes: {lost} lost, {doubled} doubled, {gaps} gaps")
    await run.aclose()
    return not (lost or doubled or gaps)


PARTS: dict[str, Callable[[], bool]] = {
    "losses": losses,
    "clean": clean,
    "freezes": freezes,
    "rotations": rotations,
}


def main(words: Sequence[str]) -> int:
    """Run the parts named, print what they found, return 1 when one missed its goal."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.continuity", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="|".join(PARTS), help="all by default")
    good = True
    for name in parser.parse_args(words).parts or PARTS:
        began = time.perf_counter()
        good &= PARTS[name]()
        print(f"  ({name}: {time.perf_counter() - began:.0f} s)")
    return int(not good)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
