"""No journal entry is lost, doubled or guessed."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predsurv.core.errors import IntegrityError, SafetyError, TransientError
from predsurv.core.events import (
    CancelRejected,
    FillConfirmed,
    FillFailed,
    LevelConsumed,
    OrderAccepted,
    RebatePaid,
)
from predsurv.core.ids import ClientOrderId, OrderId, TradeId
from predsurv.core.num import MICROS, Money
from predsurv.engine.risk.gate import GateDecision
from predsurv.engine.risk.state import MINUTE
from predsurv.engine.step import EngineNote
from predsurv.trade import journal as module
from predsurv.trade.journal import (
    AccountUpdated,
    CommandSent,
    EngineNoted,
    Entry,
    LiquidityTaken,
    MarketSettled,
    OrderJournal,
    RebateBooked,
    RunStarted,
    restore,
)
from tests.kit.trading_samples import ME, START, YES, V, approved, cancel, cents, fill, intent, place, resolved, shares

ENTRIES: tuple[Entry, ...] = (
    RunStarted(START, "paper", "paper", (ME,), ((V, Money(100 * MICROS)),)),
    EngineNoted(EngineNote(START, "day", "a new UTC day", Money(100 * MICROS))),
    CommandSent(GateDecision(approved(place("a", price=50, group="g")), intent())),
    AccountUpdated(OrderAccepted(YES, START, ClientOrderId("a"), OrderId("v"))),
    AccountUpdated(fill("a", size=4, price=50, fee=Money(7))),
    CommandSent(GateDecision(approved(cancel("a")), None)),
    MarketSettled(resolved()),
    LiquidityTaken(LevelConsumed(YES, START, "ask", cents(51), shares(4))),
    AccountUpdated(FillConfirmed(YES, START, ClientOrderId("a"), TradeId("a.1"))),
    AccountUpdated(FillFailed(YES, START, ClientOrderId("a"), TradeId("a.2"), "reverted")),
    RebateBooked(RebatePaid(V, YES.market_id, START, ME, START, Money(12))),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "paper.db"


def written(path: Path, *entries: Entry) -> None:
    journal = OrderJournal(path)
    for entry in entries:
        journal.append(entry)
    journal.close()
    journal.close()


def test_every_kind_of_entry_round_trips(path: Path) -> None:
    written(path, *ENTRIES)
    journal = OrderJournal(path)
    assert tuple(journal.entries()) == ENTRIES
    journal.close()
    assert path.stat().st_mode & 0o077 == 0


def test_a_rejected_cancel_is_kept_and_leaves_its_order_as_it_is(path: Path) -> None:
    rejected = AccountUpdated(CancelRejected(YES, START, ClientOrderId("a"), "unknown_order"))
    written(path, *ENTRIES[:4], rejected)
    journal = OrderJournal(path)
    entries = tuple(journal.entries())
    journal.close()
    assert entries[-1] == rejected
    assert [order.state for order in restore(entries).account.orders.live()] == ["open"]


def test_tags_and_field_order_on_disk_stay_as_they_are() -> None:
    """Journals of earlier versions have to be read: entries are arrays that begin with their tag."""
    assert [msgspec.json.encode(entry).decode() for entry in ENTRIES] == [
        '["started",1800000000000000000,"paper","paper",["me"],[["mock",100000000]]]',
        '["noted",["note",1800000000000000000,"day","a new UTC day",100000000]]',
        '["sent",[["approved",1800000000000000000,["place","a","me",["mock","m","m-yes"],"buy",500000,10000000,"gtc",false,"g",null]],["intent","me",["mock","m","m-yes"],"buy",510000,10000000,"ioc","test",false,null,"",null]]]',
        '["answered",["accepted",["mock","m","m-yes"],1800000000000000000,"a","v"]]',
        '["answered",["fill",["mock","m","m-yes"],1800000000000000000,null,"a","a.1","buy",500000,4000000,7,false,false,false,0]]',
        '["sent",[["approved",1800000000000000000,["cancel","a",["mock","m","m-yes"]]],null]]',
        '["settled",["resolved","mock","m",1800000000000000000,null,[["m-yes",1000000],["m-no",0]],false]]',
        '["taken",["consumed",["mock","m","m-yes"],1800000000000000000,"ask",510000,4000000]]',
        '["answered",["confirmed",["mock","m","m-yes"],1800000000000000000,"a","a.1"]]',
        '["answered",["failed",["mock","m","m-yes"],1800000000000000000,"a","a.2","reverted"]]',
        '["rebate",["rebate","mock","m",1800000000000000000,"me",1800000000000000000,12]]',
    ]


def test_a_fill_journalled_before_fees_could_be_assumed_is_read_as_one_of_a_stated_fee() -> None:
    body = b'["answered",["fill",["mock","m","m-yes"],1800000000000000000,null,"a","a.1","buy",500000,4000000,7,false]]'
    assert msgspec.json.decode(body, type=AccountUpdated) == ENTRIES[4]


def test_entries_not_flushed_yet_are_there_too_and_survive_a_second_run(path: Path) -> None:
    written(path, *ENTRIES[:2])
    journal = OrderJournal(path)
    journal.append(ENTRIES[2])
    assert tuple(journal.entries()) == ENTRIES[:3]
    journal.flush()
    journal.flush()
    journal.append(ENTRIES[3])
    journal.close()
    reader = OrderJournal(path, readonly=True)
    assert tuple(reader.entries()) == ENTRIES[:4]
    reader.close()


def test_a_reader_works_beside_the_trader(path: Path) -> None:
    journal = OrderJournal(path)
    journal.append(ENTRIES[0])
    journal.flush()
    reader = OrderJournal(path, readonly=True)
    assert tuple(reader.entries()) == ENTRIES[:1]
    reader.close()
    journal.close()


def test_two_traders_never_share_a_journal(path: Path) -> None:
    journal = OrderJournal(path)
    with pytest.raises(SafetyError, match="another trader"):
        OrderJournal(path)
    journal.close()
    OrderJournal(path).close()


def test_a_fresh_journal_begins_anew(path: Path) -> None:
    written(path, *ENTRIES)
    journal = OrderJournal(path, fresh=True, durable=False)
    assert list(journal.entries()) == []
    journal.close()


def test_what_is_buffered_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PENDING_MAX", 2)
    journal = OrderJournal(path)
    journal.append(ENTRIES[0])
    journal.append(ENTRIES[1])
    reader = OrderJournal(path, readonly=True)
    assert len(list(reader.entries())) == 2
    reader.close()
    journal.close()


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE entries SET body = x'00' WHERE seq = 3",
        "DELETE FROM entries WHERE seq = 3",
        "UPDATE entries SET chain = chain + 1 WHERE seq = 7",
        "DROP TABLE entries",
    ],
)
def test_damage_is_refused_with_one_line(path: Path, harm: str) -> None:
    written(path, *ENTRIES)
    database = sqlite3.connect(path)
    database.execute(harm)
    database.commit()
    database.close()
    with pytest.raises(IntegrityError, match="damaged") as refused:
        OrderJournal(path)
    assert "\n" not in str(refused.value)


def test_a_newer_version_is_refused(path: Path) -> None:
    written(path)
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 2")
    database.close()
    with pytest.raises(IntegrityError, match="version 2 cannot be read"):
        OrderJournal(path)


def test_an_entry_of_another_shape_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd:
        def encode(self, _: object) -> bytes:
            return b"\xc0"

    monkeypatch.setattr(module, "_ENCODER", Odd())
    written(path, ENTRIES[0])
    journal = OrderJournal(path)
    with pytest.raises(IntegrityError, match="cannot be read"):
        list(journal.entries())
    journal.close()


@settings(max_examples=40)
@given(st.integers(0, 2**31))
def test_a_cut_or_flipped_file_never_gives_a_wrong_position(
    tmp_path_factory: pytest.TempPathFactory, place_: int
) -> None:
    path = tmp_path_factory.mktemp("journal") / "paper.db"
    written(path, *ENTRIES[:5])
    body = bytearray(path.read_bytes())
    at = place_ % len(body)
    path.write_bytes(bytes(body[:at]) if place_ % 2 else bytes(body[:at] + bytes([body[at] ^ 0x40]) + body[at + 1 :]))
    try:
        journal = OrderJournal(path)
        entries = tuple(journal.entries())
        journal.close()
    except IntegrityError:
        return
    assert entries == ENTRIES[:5]


def test_a_file_that_cannot_be_opened_is_not_called_damaged(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(TransientError, match=r"cannot be read \(.*\): see to permissions"):
        OrderJournal(path, readonly=True)


def test_an_emptied_file_is_damage_and_no_new_account(path: Path) -> None:
    written(path, *ENTRIES)
    path.write_bytes(b"")
    with pytest.raises(IntegrityError, match="damaged"):
        OrderJournal(path)
    path.write_bytes(b"not a database at all, but long enough to be looked at as one would be")
    with pytest.raises(IntegrityError, match="damaged"):
        OrderJournal(path)


def test_restoring_a_journal_gives_the_account(path: Path) -> None:
    restored = restore(ENTRIES[:5])
    assert restored.runs == 1
    assert restored.day == ENTRIES[1].note  # type: ignore[union-attr]  # it is the note of the day
    assert restored.account.portfolio.cash(V) == 98 * MICROS - 7
    held = restored.account.portfolio.positions.get(ME, YES)
    assert held is not None
    assert held.size == shares(4)
    assert [order.client_order_id for order in restored.account.orders.live()] == ["a"]
    assert restored.account.placed == 1
    assert restore(ENTRIES).account.portfolio.cash(V) == 102 * MICROS - 7 + 12
    assert restore(ENTRIES).account.groups.all()[0].settled


def test_a_later_run_adds_cash_for_new_venues_only() -> None:
    again = RunStarted(START, "paper", "paper", (ME,), ((V, Money(5)), (type(V)("other"), Money(9))))
    portfolio = restore((ENTRIES[0], again)).account.portfolio
    assert [portfolio.cash(venue) for venue in portfolio.venues()] == [100 * MICROS, 9]


@pytest.mark.parametrize(("mode", "held"), [("mock", True), ("paper", False)])
def test_a_new_run_on_the_mock_venue_trades_resolved_markets_again(*, mode: str, held: bool) -> None:
    """Its exchange lists the same markets in every run; elsewhere a late fill is settled at the known payout."""
    started = RunStarted(START, mode, mode, (ME,), ((V, Money(100 * MICROS)),))
    again = (CommandSent(GateDecision(approved(place("b", price=50)), intent())), AccountUpdated(fill("b", size=4)))
    account = restore((started, *ENTRIES[2:], started, *again)).account
    assert (account.portfolio.positions.get(ME, YES) is not None) == held


def test_what_a_market_paid_in_one_run_of_the_mock_venue_is_not_paid_for_shares_of_the_next() -> None:
    started = RunStarted(START, "mock", "mock", (ME,), ((V, Money(100 * MICROS)),))
    bought = (CommandSent(GateDecision(approved(place("b", price=50)), intent())), AccountUpdated(fill("b", size=4)))
    second = restore((started, *ENTRIES[2:], started, *bought)).account
    third = restore((started, *ENTRIES[2:], started, *bought, started)).account
    assert third.portfolio.cash(V) == second.portfolio.cash(V)
    assert third.portfolio.positions.totals() == second.portfolio.positions.totals() != ()
    assert [group.cash for group in third.groups.all()] == [group.cash for group in second.groups.all()]


def test_what_was_taken_of_a_level_is_known_until_the_level_is_gone_or_a_mock_venue_begins_anew() -> None:
    taken, mock = ENTRIES[7], RunStarted(START, "mock", "mock", (ME,), ())
    gone = LiquidityTaken(LevelConsumed(YES, START, "ask", cents(51), shares(0)))
    assert [each.size for each in restore(ENTRIES).consumed.values()] == [shares(4)]
    assert restore((*ENTRIES, gone)).consumed == {}
    assert restore((*ENTRIES, mock)).consumed == {}
    assert list(restore((*ENTRIES, gone, taken, ENTRIES[0])).consumed.values()) == [taken.event]  # type: ignore[union-attr]


def test_cash_given_since_the_day_began_is_known() -> None:
    other = type(V)("other")
    again = RunStarted(START, "paper", "paper", (ME,), ((V, Money(5)), (other, Money(9))))
    assert restore(ENTRIES[:2]).added == 0, "the day began with it"
    assert restore((*ENTRIES, again)).added == 9
    assert restore((*ENTRIES, again, again)).added == 9
    assert restore((*ENTRIES, again, ENTRIES[1])).added == 0


def test_a_loss_limit_lasts_until_the_next_day_begins() -> None:
    limit = EngineNoted(EngineNote(START, "loss_limit", "too much"))
    assert restore((*ENTRIES[:2], limit)).lost_too_much
    assert not restore((*ENTRIES[:2], limit, ENTRIES[1])).lost_too_much


def test_orders_of_the_last_minute_are_known() -> None:
    sent = [
        CommandSent(GateDecision(approved(place(str(ts), price=50), ts=START + ts), intent())) for ts in (0, 1, MINUTE)
    ]
    assert list(restore((ENTRIES[0], *sent)).sent) == [START + 1, START + MINUTE]


@pytest.fixture
def anyone() -> Iterator[Path]:
    """A folder that every user may enter; root, who may write anywhere, is somebody else within."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    user = os.geteuid()
    yield folder
    os.seteuid(user)
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_journal_is_read_where_nothing_can_be_written(anyone: Path) -> None:
    path = anyone / "paper.db"
    written(path, *ENTRIES)
    path.chmod(0o644)
    anyone.chmod(0o555)
    if os.geteuid() == 0:
        os.seteuid(65_534)
    reader = OrderJournal(path, readonly=True)
    assert tuple(reader.entries()) == ENTRIES
    reader.close()


def test_a_journal_that_was_left_in_the_middle_is_not_read_without_what_is_beside_it(anyone: Path) -> None:
    path = anyone / "paper.db"
    written(path, *ENTRIES)
    path.chmod(0o644)
    path.with_name(path.name + "-wal").write_bytes(b"what was written last")
    anyone.chmod(0o555)
    if os.geteuid() == 0:
        os.seteuid(65_534)
    with pytest.raises(TransientError, match="see to permissions"):
        OrderJournal(path, readonly=True)


def test_a_disk_too_full_for_a_new_journal_is_told_of_and_leaves_it_free(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(sqlite3.Connection):
        def execute(self, *_: Any) -> Any:
            raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as full:
        full.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Full))
        with pytest.raises(TransientError, match=r"cannot write .*full.*: free disk space"):
            OrderJournal(path)
    assert not path.exists()
    OrderJournal(path).close()


def test_a_disk_that_is_full_is_told_of(path: Path) -> None:
    journal = OrderJournal(path, durable=False)
    journal._db.execute("PRAGMA max_page_count=1")
    for _ in range(200):
        for entry in ENTRIES:
            journal.append(entry)
    with pytest.raises(TransientError, match=r"cannot write .*full.*: free disk space"):
        journal.flush()
    journal.close()
