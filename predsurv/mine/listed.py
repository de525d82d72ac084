"""What is known of the mined instruments: names, the ticks that held at each time, which outcomes belong together.

From the market facts by time: an instrument that was listed between two scans is known by what the recording heard.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

import polars as pl
from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.events import MarketChange, MarketFact
from predsurv.core.ids import MarketId
from predsurv.core.market import Market, PriceBand
from predsurv.core.num import MICROS, Price
from predsurv.mine.outcome_sets import OutcomeSets, SetFinder
from predsurv.mine.recorded_days import MiningDay
from predsurv.state.market_facts import MarketFacts, MarketTimeline, StatedFrom
from predsurv.store.read.facts import FactsQuery, read_facts, related_markets

MARKETS_PER_STEP: Final = 20_000
"""Markets whose statements are in memory at a time."""

_STEPS: Final = {"instrument_id": pl.String, "piece": pl.Int32, "begin": pl.Float64, "tick_size": pl.Float64}
_PIECES: Final = {"instrument_id": pl.String, "piece": pl.Int32, "since": pl.Int64, "until": pl.Int64}
_MIRRORS: Final = {"instrument_id": pl.String, "primary": pl.String}


class InstrumentLabels(NamedTuple):
    """Display names of an instrument, and its market's page at the venue."""

    question: str
    outcome: str
    category: str
    url: str | None = None


class ListedInstruments(Struct, frozen=True):
    """What is known of the outcomes of the recorded markets.

    ``labels``: by instrument id, those of outcomes that something named. ``steps``: the price ``begin`` (dollars) from
    which each ``tick_size`` applies, in each ``piece`` of the day with the same ticks. ``pieces``: from ``since`` to
    ``until`` (ns UTC), of instruments with more than one. ``mirrors``: second outcomes of markets with two, each with
    the first one (``primary``). ``sets``: outcomes that exclude one another, those of markets that are not recorded
    included.
    """

    labels: Mapping[str, InstrumentLabels]
    steps: pl.DataFrame
    pieces: pl.DataFrame
    mirrors: pl.DataFrame
    sets: OutcomeSets


class _TickPiece(NamedTuple):
    since: int
    bands: tuple[PriceBand, ...] | None
    """None: nobody stated the tick that held then."""


def listed_instruments(day: MiningDay, markets: Iterable[str]) -> ListedInstruments:
    """Return what is known of the outcomes of ``markets`` on ``day``; raises IntegrityError for a damaged file."""
    labels: dict[str, InstrumentLabels] = {}
    steps: list[tuple[object, ...]] = []
    pieces: list[tuple[object, ...]] = []
    mirrors: list[tuple[str, str]] = []
    start, end = day.start, day.end
    wanted, sets = frozenset(map(MarketId, markets)), SetFinder(start, end)
    for timeline in _timelines(day, sorted(related_markets(day.data_dir, FactsQuery(day.venue, start, end, wanted)))):
        stated = _stated(timeline, start, end)
        if not stated:
            continue
        recorded = stated[-1].known.market.market_id in wanted
        sets.add(stated, recorded=recorded)
        if not recorded:
            continue
        market, ticks = stated[-1].known.market, _tick_pieces(stated)
        for outcome in market.outcomes:
            name = outcome.instrument_id
            labels[name] = InstrumentLabels(market.question, outcome.label, market.category or "", market.url)
            for number, piece in enumerate(ticks):
                until = ticks[number + 1].since if number + 1 < len(ticks) else end
                pieces += [(name, number, piece.since, until)] if len(ticks) > 1 else []
                steps += [(name, number, band.start / MICROS, band.step / MICROS) for band in piece.bands or ()]
        mirrors += _mirrors(market)
    return ListedInstruments(
        labels,
        pl.DataFrame(steps, schema=_STEPS, orient="row"),
        pl.DataFrame(pieces, schema=_PIECES, orient="row"),
        pl.DataFrame(mirrors, schema=_MIRRORS, orient="row"),
        sets.sets(),
    )


def _timelines(day: MiningDay, markets: list[str]) -> Iterator[MarketTimeline]:
    for begin in range(0, len(markets), MARKETS_PER_STEP):
        some = frozenset(map(MarketId, markets[begin : begin + MARKETS_PER_STEP]))
        query = FactsQuery(day.venue, day.start, day.end, some)
        facts = MarketFacts(map(_without_text, read_facts(day.data_dir, query)))
        for market_id in facts.market_ids():
            timeline = facts.timeline(market_id)
            if timeline is not None:
                yield timeline


def _without_text(fact: MarketFact) -> MarketFact:
    """Leave out the venue's description of a market, which is most of a statement."""
    if isinstance(fact, MarketChange) and fact.market is not None and fact.market.description is not None:
        return replace(fact, market=replace(fact.market, description=None))
    return fact


def _stated(timeline: MarketTimeline, start: int, end: int) -> list[StatedFrom]:
    """Return what is known from ``start`` on, and after each statement before ``end`` (ns UTC); empty without any."""
    pieces = list(timeline.pieces())
    before = [each for each in pieces if each.since <= start]
    first = before[-1].known if before else timeline.at(start)
    within = [each for each in pieces if start < each.since < end]
    return [] if first is None else [StatedFrom(start, first), *within]


def _tick_pieces(stated: Iterable[StatedFrom]) -> list[_TickPiece]:
    pieces: list[_TickPiece] = []
    for since, known in stated:
        bands = _bands(known.market)
        if not pieces or pieces[-1].bands != bands:
            pieces.append(_TickPiece(since, bands))
    return pieces


def _bands(market: Market) -> tuple[PriceBand, ...] | None:
    if "tick_size" in market.assumed:
        return None
    return market.bands or (PriceBand(Price(0), Price(MICROS), market.tick_size),)


def _mirrors(market: Market) -> list[tuple[str, str]]:
    other = market.mirror_of(market.key(0)) if market.outcomes else None
    return [] if other is None else [(other.instrument_id, market.key(0).instrument_id)]
