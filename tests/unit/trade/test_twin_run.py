"""The paper twin of a live run: the same decisions on the same events, filled by simulation, in a folder of its own."""

from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from predsurv.core.errors import ConfigError, IntegrityError
from predsurv.core.events import Fill, MarketResolved
from predsurv.core.ids import InstrumentKey, MarketId
from predsurv.core.num import MICROS, Money, Price
from predsurv.core.orders import PlaceOrder
from predsurv.core.reconciliation import CashCorrected, PositionCorrected, TradingHeld
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.step import EngineNote
from predsurv.trade.journal import AccountUpdated, CommandSent, EngineNoted, OrderJournal, RunStarted
from predsurv.trade.runs.beside import read_twin
from predsurv.trade.runs.folder import RunFolder
from predsurv.trade.runs.frames import FrameWriter, read_frames
from predsurv.trade.runs.info import EVENTS_FILE, INFO_FILE, JOURNAL_FILE
from predsurv.trade.runs.inputs import BrokerAnswer, MarketBatch, RunInput, TimePassed
from predsurv.trade.twin_run import begin, run_twin
from tests.kit.live_runs import LiveWorld, OneBuyer, live_world
from tests.kit.trading_samples import ME, START, YES, V, fill, place, shares


def orders(folder: RunFolder) -> list[PlaceOrder]:
    with closing(OrderJournal(folder.file(JOURNAL_FILE), readonly=True)) as journal:
        sent = [each.decision.approved.command for each in journal.entries() if isinstance(each, CommandSent)]
    return [each for each in sent if isinstance(each, PlaceOrder)]


def has_bought(buyer: OneBuyer, count: int) -> bool:
    return sum(isinstance(each, Fill) for each in buyer.heard) >= count


async def traded(world: LiveWorld, patch: pytest.MonkeyPatch) -> RunFolder:
    """A live run that has bought twice, and a new strategy for its twin."""
    buyer = OneBuyer("ioc", count=2)
    session = await world.trade(buyer, patch, lambda _: has_bought(buyer, 2))
    patch.setattr("predsurv.trade.engine_parts.build", lambda *_: (OneBuyer("ioc", count=2),))
    return session.keeper.folder


async def test_the_twin_decides_the_same_and_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with live_world(tmp_path) as world:
        folder = await traded(world, monkeypatch)
        assert read_twin(folder) is None
        twin = await run_twin(world.config.data_dir, folder)
    live, paper = orders(folder), orders(twin)
    assert len(live) == 2
    assert [replace(each, client_order_id="") for each in paper] == [replace(each, client_order_id="") for each in live]
    assert {each.client_order_id for each in paper}.isdisjoint(each.client_order_id for each in live)
    info, results = twin.info(), twin.results()
    assert info.run == f"{folder.run}/twin"
    assert info.complete
    assert results is not None
    assert results.equity_start == folder.results().equity_start  # type: ignore[union-attr]
    beside = read_twin(folder)
    assert beside is not None
    assert beside.whole
    assert beside.divergence.count(live=True, paper=True) == 2
    # Again gives the same, byte for byte.
    before = orders(twin), results
    await run_twin(world.config.data_dir, folder)
    assert (orders(twin), twin.results()) == before


async def test_it_stops_where_the_live_engine_stopped_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with live_world(tmp_path) as world:
        folder = await traded(world, monkeypatch)
        with closing(OrderJournal(folder.file(JOURNAL_FILE))) as journal:
            started, *_ = journal.entries()
            assert isinstance(started, RunStarted)
            journal.append(EngineNoted(EngineNote(started.ts, "halted", "a fill that cannot be")))
        assert not orders(await run_twin(world.config.data_dir, folder))


def _filled(twin: RunFolder) -> InstrumentKey:
    """Return the instrument that the twin bought."""
    with closing(OrderJournal(twin.file(JOURNAL_FILE), readonly=True)) as journal:
        told = [each.event for each in journal.entries() if isinstance(each, AccountUpdated)]
    return next(each.key for each in told if isinstance(each, Fill))


async def test_what_only_the_comparison_told_of_settlements_pays_the_twin_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with live_world(tmp_path) as world:
        folder = await traded(world, monkeypatch)
        twin = await run_twin(world.config.data_dir, folder)
        plain, bought = twin.results(), _filled(twin)
        given = list(read_frames(folder.file(EVENTS_FILE), RunInput))
        ends = max(each.events[-1].ts_recv for each in given if isinstance(each, MarketBatch) and each.events)
        later = ends + 10**10  # when what was simulated has been filled as well
        paid = MarketResolved(bought.venue, bought.market_id, later, None, ((bought.instrument_id, Price(MICROS)),))
        writer = FrameWriter(folder.file(EVENTS_FILE))
        for each in (*given, BrokerAnswer(paid)):
            writer.append(each)
        writer.close()
        settled = (await run_twin(world.config.data_dir, folder)).results()
    assert plain is not None
    assert settled is not None
    assert not plain.total.paid
    assert settled.total.paid > 0


async def test_a_run_that_goes_on_has_a_twin_so_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with live_world(tmp_path) as world:
        folder = await traded(world, monkeypatch)
        folder.write(INFO_FILE, replace(folder.info(), ended=None, complete=False, exit_code=None))
        twin = await run_twin(world.config.data_dir, folder)
    beside = read_twin(folder)
    assert beside is not None
    assert not beside.whole
    assert not twin.info().complete


async def test_runs_of_other_kinds_and_damaged_ones_have_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with live_world(tmp_path) as world:
        folder = await traded(world, monkeypatch)
        info = folder.info()
        folder.write(INFO_FILE, replace(info, mode="paper"))
        with pytest.raises(ConfigError, match="is of mode paper: only a live run has a paper twin"):
            await run_twin(tmp_path, folder)
        folder.write(INFO_FILE, info)
        with closing(OrderJournal(folder.file(JOURNAL_FILE), durable=False, fresh=True)):
            pass
        with pytest.raises(IntegrityError, match="its journal does not begin with the run"):
            await run_twin(tmp_path, folder)


def test_the_account_begins_as_the_venue_had_it() -> None:
    account = TradingAccount({V: Money(100)})
    account.place(place("old", size=10), START)
    inputs: list[RunInput] = [
        BrokerAnswer(TradingHeld(V, START, "not compared")),
        BrokerAnswer(CashCorrected(V, START, Money(70 * MICROS), "the venue says so")),
        BrokerAnswer(PositionCorrected(YES, START, ME, shares(5), Money(2 * MICROS), "the venue says so")),
        BrokerAnswer(fill("old", 4, 50)),
        BrokerAnswer(MarketResolved(V, MarketId("other"), START, None, ())),
        BrokerAnswer(TradingHeld(V, START, "")),
        TimePassed(START),
        BrokerAnswer(CashCorrected(V, START, Money(1), "later")),
    ]
    begun = begin(account, iter(inputs))
    portfolio = begun.account.portfolio
    assert portfolio.cash(V) == 68 * MICROS
    assert portfolio.positions.size_of(ME, YES) == shares(9)
    assert not begun.account.orders.live()
    assert begun.held == {V: ""}
    assert list(begun.inputs) == inputs[6:]
    assert not list(begin(TradingAccount({V: Money(1)}), iter(())).inputs)
