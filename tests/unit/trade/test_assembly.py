"""The start of a run: the day's loss, the markets of its days, and what it holds already."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from predsurv.config import Config, load
from predsurv.core.errors import ConfigError, IntegrityError
from predsurv.core.events import MarketChange, MarketResolved
from predsurv.core.ids import ClientOrderId, EventId, InstrumentKey, MarketId, TradeId, VenueName
from predsurv.core.market import Market
from predsurv.core.num import MICROS, Money, Price
from predsurv.engine.account.valuation import DAY
from predsurv.engine.risk.gate import GateDecision
from predsurv.engine.step import EngineNote
from predsurv.net.clock import ManualClock
from predsurv.ports import Broker, Catalog, Feed, VenueTraits
from predsurv.store.contradicted_pairs import ContradictedPair, contradicted_path, write_contradicted
from predsurv.store.files import PRIVATE_DIR, make_dirs
from predsurv.store.layout import Layout, data_files
from predsurv.store.universe_writer import UniverseWriter
from predsurv.trade.assembly import open_paper
from predsurv.trade.engine_parts import configured_strategies, mappings_of
from predsurv.trade.journal import (
    AccountUpdated,
    CommandSent,
    EngineNoted,
    Entry,
    MarketSettled,
    OrderJournal,
    RunStarted,
)
from predsurv.trade.journal_path import journal_path
from predsurv.trade.replay import EventClock, ReplayFeed
from predsurv.trade.runner import TradeRunner
from predsurv.trade.session import TradingSession
from tests.kit.recordings import record
from tests.kit.trading_samples import ME, START, S, approved, fill, intent, market, place

ONE, OTHER = VenueName("one"), VenueName("other")
MIDNIGHT = START - START % DAY
NOBODY = type("Nobody", (), {"on_batch": lambda *_: None, "on_step": lambda *_: None})()


class Quiet:
    """A venue without events, with one book per binary market."""

    def __init__(self, name: VenueName) -> None:
        self.name = name
        self.traits = VenueTraits(complementary_outcomes=True)

    def catalog(self) -> Catalog:
        raise NotImplementedError

    def feed(self) -> Feed:
        return ReplayFeed(lambda: iter(()), EventClock())

    def broker(self) -> Broker:
        raise NotImplementedError

    async def aclose(self) -> None:
        pass


def at(venue: VenueName, name: str = "m", **changes: object) -> Market:
    return market(name, venue=venue, **changes)


def configured(folder: Path) -> Config:
    return load(None, flags={"data_dir": str(folder)}, environ={}, root=folder).config


def listed(folder: Path, *markets: Market, ts: int = START) -> None:
    """Write the universe of the markets' venue for the day of ``ts``."""
    with UniverseWriter(folder, markets[0].venue, ts) as writer:
        for each in markets:
            writer.write(each)
        writer.commit()


def journalled(folder: Path, *entries: Entry) -> None:
    """Have a paper account in which this happened."""
    path = journal_path(folder, "paper")
    make_dirs(path.parent, PRIVATE_DIR)
    journal = OrderJournal(path)
    for entry in entries:
        journal.append(entry)
    journal.close()


def began(venue: VenueName, dollars: int = 10_000) -> list[Entry]:
    """A first run at a venue, and its day."""
    cash = Money(dollars * MICROS)
    return [
        RunStarted(START, "paper", "paper", (ME,), ((venue, cash),)),
        EngineNoted(EngineNote(START, "day", "a new UTC day", cash)),
    ]


def bought(key: InstrumentKey, size: float, price: int = 50) -> list[Entry]:
    """Shares of ``key`` for ``price`` cents each."""
    name = f"o-{key.instrument_id}"
    filled = fill(name, size, price, key=key, client_order_id=ClientOrderId(name), trade_id=TradeId(name))
    return [
        CommandSent(GateDecision(approved(place(name, price=price, size=size, key=key)), intent(key=key))),
        AccountUpdated(filled),
    ]


def lost(key: InstrumentKey) -> MarketSettled:
    """The end of a market in which ``key`` pays nothing."""
    return MarketSettled(MarketResolved(key.venue, key.market_id, START, None, ((key.instrument_id, Price(0)),)))


def opened(folder: Path, *venues: VenueName, now: int = START + S) -> TradingSession:
    session = open_paper(configured(folder), [Quiet(each) for each in venues], ManualClock(now), lambda _: NOBODY)
    session.close()
    return session


def loss(session: TradingSession) -> int:
    return session.engine.valuation.day_loss()


def test_cash_of_a_venue_added_during_the_day_hides_no_loss(tmp_path: Path) -> None:
    key = at(ONE).key(0)
    listed(tmp_path, at(ONE))
    listed(tmp_path, at(OTHER))
    journalled(tmp_path, *began(ONE), *bought(key, 800), lost(key))
    assert loss(opened(tmp_path, ONE)) == 400 * MICROS
    assert loss(opened(tmp_path, ONE, OTHER)) == 400 * MICROS
    assert loss(opened(tmp_path, ONE, OTHER)) == 400 * MICROS, "nor in the runs after it"


def test_a_loss_limit_and_the_orders_of_a_minute_outlast_a_restart_and_the_limit_no_day(tmp_path: Path) -> None:
    key = at(ONE).key(0)
    listed(tmp_path, at(ONE))
    limit = EngineNoted(EngineNote(START + 1, "loss_limit", "500 USD were lost since midnight UTC"))
    journalled(tmp_path, *began(ONE), *bought(key, 800), limit)
    session = opened(tmp_path, ONE)
    assert session.engine.control.trading == "reducing"
    assert session.engine._risk.sent_last_minute() == 1
    tomorrow = opened(tmp_path, ONE, now=START + DAY)
    assert tomorrow.engine.control.trading == "active"


def watched(session: TradingSession) -> set[str]:
    return {key.market_id for key in watched_keys(session)}


def watched_keys(session: TradingSession) -> frozenset[InstrumentKey]:
    assert isinstance(session.runner, TradeRunner)
    return session.runner._watchlists[ONE].keys


def test_held_instruments_are_watched_known_and_settled_after_a_restart(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = ("chosen", "closed", "dropped", "unheard")
    chosen, closed, dropped, unheard = (at(ONE, name) for name in names)
    ended = replace(closed, status="closed", tradable=False)
    listed(tmp_path, at(ONE, "dropped", tick_size=Price(1)), ts=MIDNIGHT - 2 * DAY)
    listed(tmp_path, dropped, closed, ts=MIDNIGHT - DAY)
    listed(tmp_path, chosen, ended)
    held = (closed.key(0), dropped.key(1), unheard.key(1))
    journalled(tmp_path, *began(ONE), *(each for key in held for each in bought(key, 100)))
    session = opened(tmp_path, ONE)
    assert watched_keys(session) == {chosen.key(0), closed.key(0), dropped.key(0), unheard.key(1)}
    cache = session.engine.cache
    assert [cache.market(ONE, MarketId(name)) for name in names] == [chosen, ended, dropped, None]
    (record,) = caplog.records
    assert "no list of one has market unheard" in record.getMessage()
    for key in held:
        assert session.engine.step(lost(key).event).settlements


def test_the_market_of_an_order_that_may_be_open_is_known_after_a_restart(tmp_path: Path) -> None:
    """What it trades has a fee, and only the market says which."""
    dropped = at(ONE, "dropped")
    listed(tmp_path, dropped, ts=MIDNIGHT - DAY)
    listed(tmp_path, at(ONE, "chosen"))
    ordered, _ = bought(dropped.key(0), 100)
    journalled(tmp_path, *began(ONE), ordered)
    session = opened(tmp_path, ONE)
    assert session.engine.cache.market(ONE, dropped.market_id) == dropped
    assert watched(session) == {"chosen", "dropped"}


def test_instruments_held_at_another_venue_are_not_watched_here(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    listed(tmp_path, at(ONE))
    journalled(tmp_path, *began(OTHER), *bought(at(OTHER, "away").key(0), 100))
    assert watched(opened(tmp_path, ONE)) == {"m"}
    assert not caplog.records


@pytest.mark.parametrize("polled", [False, True])
def test_paper_trading_on_a_polled_venue_logs_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, polled: bool
) -> None:
    listed(tmp_path, at(ONE))
    venue = Quiet(ONE)
    venue.traits = replace(venue.traits, polled=polled)
    open_paper(configured(tmp_path), [venue], ManualClock(START), lambda _: NOBODY).close()
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["one is polled"] * polled


def test_a_market_that_is_no_longer_listed_is_known_and_not_watched(tmp_path: Path) -> None:
    gone = at(ONE, "gone", event_id=EventId("e-m"))
    listed(tmp_path, at(ONE), gone)
    listed(tmp_path, at(ONE, fetched_at=START + S), ts=START + S)
    session = opened(tmp_path, ONE)
    assert watched(session) == {"m"}
    assert len(session.engine.cache.siblings(ONE, EventId("e-m"))) == 2


def test_a_run_begins_with_what_was_recorded_since_the_scan(tmp_path: Path) -> None:
    listed(tmp_path, at(ONE))
    tick = MarketChange(ONE, MarketId("m"), None, START + S, None, "tick_size", "{}", tick_size=Price(1_000))
    record(tmp_path, START, [tick, replace(tick, ts_recv=START + 3 * S, tick_size=Price(2_000))])
    known = opened(tmp_path, ONE, now=START + 2 * S).engine.cache.market(ONE, MarketId("m"))
    assert known is not None
    assert known.tick_size == 1_000


def test_a_recording_that_cannot_be_read_does_not_keep_a_run_on_live_feeds_from_starting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    listed(tmp_path, at(ONE))
    record(tmp_path, START, [MarketChange(ONE, MarketId("m"), None, START, None, "paused", "{}")])
    (path,) = data_files(Layout(tmp_path), "lifecycle")
    path.write_bytes(b"damaged")
    assert watched(opened(tmp_path, ONE)) == {"m"}
    assert "what was recorded of one is not used" in caplog.text


def test_a_run_that_cannot_begin_lets_go_of_its_account(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no list of the markets of one") as told:
        opened(tmp_path, ONE)
    OrderJournal(journal_path(tmp_path, "paper")).close()  # refused while another has it
    assert told.tb is not None, "its frames are alive still"


PAIR = """
    [[pairs]]
    approved_by = "ada"
    approved_at = 2026-11-30T12:00:00Z
    first = {venue = "one", market = "m", outcomes = ["m-yes", "m-no"]}
    second = {venue = "other", market = "x", outcomes = ["x-yes", "x-no"]}
"""


@pytest.mark.parametrize(("later", "left"), [(-1, 1), (0, 0), (1, 0)])
def test_what_settled_markets_speak_against_is_not_traded_as_one(
    later: int, left: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """``later``: how long (ns) after its approval the pair was found to be contradicted as it stood."""
    path = tmp_path / "mappings.toml"
    path.write_text(PAIR)
    config = load(
        None, flags={"data_dir": str(tmp_path), "trading.mappings": str(path)}, environ={}, root=tmp_path
    ).config
    (mapping,) = mappings_of(config, [ONE, OTHER])
    against = ContradictedPair(("one", "m"), ("other", "x"), mapping.approved_at + later, ("one m paid $1",))
    write_contradicted([against], config.data_dir)
    assert len(mappings_of(config, [ONE, OTHER])) == left
    assert [each.message for each in caplog.records] == [
        "one m and other x are not traded as one: one m paid $1; see 'predsurv map review'"
    ] * (1 - left)
    write_contradicted([], config.data_dir)
    assert len(mappings_of(config, [ONE, OTHER])) == 1
    contradicted_path(config.data_dir).write_text("no JSON")
    with pytest.raises(IntegrityError, match="run 'predsurv map build'"):
        mappings_of(config, [ONE, OTHER])


def test_strategies_get_the_mappings_between_the_venues_of_the_run(tmp_path: Path) -> None:
    for second, mapped in (("other", True), ("third", False)):
        path = tmp_path / f"{second}.toml"
        path.write_text(PAIR.replace("other", second))
        flags = {"trading.mappings": str(path), "trading.strategies": ["simple", "arbitrage"]}
        config = load(None, flags=flags, environ={}, root=tmp_path).config
        arbitrage, simple = configured_strategies(config, mappings_of(config, [ONE, OTHER]))
        assert (arbitrage.interest.where_event is None) is mapped
        assert simple.name == "simple"
