"""``predsurv orders``: what is open at the venue, whose it is, and cancels that say what became of each."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from predsurv.cli.app import main
from predsurv.core.errors import AmbiguousError, TransientError
from predsurv.core.events import OrderUnknown
from predsurv.core.ids import ClientOrderId, InstrumentId, OrderId, VenueName
from predsurv.core.market import Outcome
from predsurv.core.num import MICROS
from predsurv.core.orders import Approved, Order
from predsurv.engine.risk.gate import GateDecision
from predsurv.store.universe_writer import UniverseWriter
from predsurv.trade.journal import AccountUpdated, CommandSent, OrderJournal, OrderNamed
from predsurv.trade.journal_path import journal_path
from predsurv.venues.answers import Verdict
from predsurv.venues.polymarket.execution.gateway import PolymarketGateway
from tests.kit.fake_clob import FakeClob, FakeOrder
from tests.kit.fake_kalshi import FakeKalshi
from tests.kit.live_orders import key_of, placed
from tests.kit.run_entries import CASH, started
from tests.kit.served_fakes import served
from tests.kit.trading_samples import START, market

OURS, LOST = "0x" + "a1" * 32, "0x" + "b2" * 32
VENUE = ("--venue", "polymarket")
BATCHES = "/portfolio/events/orders/batched"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


def journalled(data: Path, fake: FakeClob) -> None:
    """Write a journal of two orders: one that is open as OURS, one of which nobody knows what became."""
    path = journal_path(data, "live-polymarket-local")
    path.parent.mkdir(parents=True)
    journal = OrderJournal(path)
    journal.append(replace(started(), cash=((VenueName("polymarket"), CASH),)))
    for name, order_id in (("c1", OURS), ("c2", LOST)):
        order: Approved = placed(fake, name)
        journal.append(CommandSent(GateDecision(order, None)))
        journal.append(OrderNamed(ClientOrderId(name), OrderId(order_id)))
    key = key_of(fake)
    journal.append(AccountUpdated(OrderUnknown(key, START, ClientOrderId("c2"), "no answer")))
    journal.close()


def resting(fake: FakeClob, name: str) -> None:
    token = key_of(fake).instrument_id
    fake.orders[name] = FakeOrder(name, token, "BUY", 560_000, 10 * MICROS, "GTC", matched=4 * MICROS)


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, dict[str, Any]]:
    assert main(["orders", *words, "--format", "json"]) == 0
    return {row["order_id"]: row for row in json.loads(capsys.readouterr().out)["orders"]}


@pytest.mark.usefixtures("data")
def test_without_orders_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with served(FakeKalshi(), monkeypatch):
        assert main(["orders", "--venue", "kalshi"]) == 0
    assert "no order is open" in capsys.readouterr().out


def test_open_orders_are_ours_by_the_journal_and_the_unknown_are_shown_too(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = FakeClob()
    journalled(data, fake)
    resting(fake, OURS)
    fake.add_foreign()
    with served(fake, monkeypatch):
        rows = shown(capsys)  # one venue has a journal: it is the one that is meant
    assert set(rows) == {OURS, LOST, "0xf0"}
    assert rows[OURS]["client_order_id"] == "c1"
    assert rows[LOST]["state"] == "unknown"
    assert rows["0xf0"]["client_order_id"] == ""
    assert rows["0xf0"]["strategy"] == "-"
    assert rows["0xf0"]["state"] == "open"
    assert {(row["question"], row["outcome"]) for row in rows.values()} == {(key_of(fake).market_id, "")}


def test_orders_are_shown_with_the_question_of_their_market_where_a_list_has_it(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = FakeClob()
    resting(fake, OURS)
    key = key_of(fake)
    outcomes = (Outcome(key.instrument_id, "Yes"), Outcome(InstrumentId("5"), "No"))
    with UniverseWriter(data, key.venue, START) as writer:
        writer.write(market(venue=key.venue, market_id=key.market_id, question="Will it snow?", outcomes=outcomes))
        writer.commit()
    with served(fake, monkeypatch):
        rows = shown(capsys, *VENUE)
    assert (rows[OURS]["question"], rows[OURS]["outcome"]) == ("Will it snow?", "Yes")
    assert rows[OURS]["instrument_id"] == key.instrument_id


@pytest.mark.usefixtures("data")
def test_one_order_is_cancelled_and_the_others_stay(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = FakeClob()
    resting(fake, OURS)
    fake.add_foreign()
    with served(fake, monkeypatch):
        assert main(["orders", "cancel", OURS.upper().replace("0X", "0x"), *VENUE]) == 0
    err = capsys.readouterr().err
    assert f"{OURS}: cancelled\n" in err
    assert "1 of 1 orders are not open any more" in err
    assert [each.id for each in fake.open()] == ["0xf0"]


@pytest.mark.parametrize(("make", "venue"), [(FakeClob, "polymarket"), (FakeKalshi, "kalshi")])
@pytest.mark.usefixtures("data")
def test_all_are_cancelled_whoever_placed_them(
    make: type[FakeClob | FakeKalshi],
    venue: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake = make()
    fake.add_foreign()
    with served(fake, monkeypatch):
        assert main(["orders", "cancel", "--all", "--venue", venue]) == 0
    assert "1 of 1 orders are not open any more" in capsys.readouterr().err
    assert not fake.open()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Verdict("rejected", "go_on", "matched already"), "not cancelled: matched already"),
        (AmbiguousError("the answer was lost"), "not known whether it is cancelled: the answer was lost"),
        (TransientError("no route"), "not cancelled: no route"),
    ],
)
@pytest.mark.usefixtures("data")
def test_what_is_still_open_afterwards_is_told_and_ends_with_1(
    answer: Verdict | Exception, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def cancel(_self: PolymarketGateway, _order: Order) -> Verdict:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(PolymarketGateway, "cancel", cancel)
    fake = FakeClob()
    fake.add_foreign()
    with served(fake, monkeypatch):
        assert main(["orders", "cancel", "0xf0", *VENUE]) == 1
    err = capsys.readouterr().err
    assert f"0xf0: {words}\n" in err
    assert "0 of 1 orders are not open any more" in err


@pytest.mark.usefixtures("data")
def test_all_orders_of_polymarket_are_cancelled_by_one_request(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = FakeClob()
    names = [OURS, LOST, "0xf0"]
    for name in names:
        resting(fake, name)
    with served(fake, monkeypatch):
        assert main(["orders", "cancel", "--all", *VENUE]) == 0
    err = capsys.readouterr().err
    assert all(f"{name}: cancelled\n" in err for name in names)
    assert "3 of 3 orders are not open any more" in err
    assert [each for each in fake.requests if each[0] == "DELETE"] == [("DELETE", "/cancel-all")]


@pytest.mark.parametrize(("lost", "words"), [(0, "cancelled"), (1, "not known whether it is cancelled")])
@pytest.mark.usefixtures("data")
def test_all_orders_of_kalshi_are_cancelled_twenty_at_a_time(
    lost: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = FakeKalshi()
    fake.lost_cancels = lost
    fake.add_foreign()
    (first,) = fake.open()
    fake.orders = {f"k{number:02}": replace(first, id=f"k{number:02}") for number in range(23)}
    with served(fake, monkeypatch):
        assert main(["orders", "cancel", "--all", "--venue", "kalshi"]) == 0
    err = capsys.readouterr().err
    told = dict(line.split(": ", 2)[:2] for line in err.splitlines() if line.startswith("k"))
    assert [told[f"k{number:02}"] for number in range(20)] == [words] * 20
    assert [told[f"k{number:02}"] for number in range(20, 23)] == ["cancelled"] * 3
    assert "23 of 23 orders are not open any more" in err
    assert [each for each in fake.requests if each[0] == "DELETE"] == [("DELETE", BATCHES)] * 2


@pytest.mark.usefixtures("data")
def test_an_id_of_which_no_order_is_open_is_told_and_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = FakeClob()
    resting(fake, OURS)
    with served(fake, monkeypatch):
        assert main(["orders", "cancel", LOST, *VENUE]) == 1
        assert f"{LOST}: no order of this id is open; " in (err := capsys.readouterr().err)
        assert "any more" not in err
        assert main(["orders", "cancel", OURS, LOST, *VENUE]) == 1
    err = capsys.readouterr().err
    assert f"{LOST}: no order of this id is open; " in err
    assert "1 of 1 orders are not open any more" in err
    assert not fake.open()


@pytest.mark.usefixtures("data")
def test_where_no_order_is_open_all_of_them_are_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(FakeClob(), monkeypatch):
        assert main(["orders", "cancel", "--all", *VENUE]) == 0
    assert capsys.readouterr().err == "no order was open\n"


@pytest.mark.parametrize("words", [(), ("0xf0", "--all")])
@pytest.mark.usefixtures("data")
def test_orders_are_named_or_all_of_them(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["orders", "cancel", *words, *VENUE]) == 2
    assert "name the orders to cancel, or --all" in capsys.readouterr().err
