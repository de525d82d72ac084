"""``predsurv backtest`` over recordings of several days: what each day charges, and what it says it did without."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from predsurv.cli.app import main
from predsurv.core.events import BookSnapshot, MarketChange, MarketResolved
from predsurv.core.ids import EventId, InstrumentId, InstrumentKey, MarketId
from predsurv.core.market import FeeSchedule, Market, Outcome
from predsurv.core.num import MICROS, Price
from predsurv.core.records import Coverage, Record
from predsurv.store.layout import NS_DAY, Layout, data_files, date_of
from tests.kit.backtests import MIDNIGHT, hours, listed_on
from tests.kit.recordings import record
from tests.kit.trading_samples import S, V, levels

DAYS = [date_of(MIDNIGHT + day * NS_DAY) for day in range(3)]


def race(name: str, ts: int, rate: int, tick: int = 10_000) -> Market:
    """A market with three outcomes, each with a book of its own."""
    outcomes = tuple(Outcome(InstrumentId(f"{name}-{label}"), label) for label in ("A", "B", "C"))
    return Market(
        venue=V,
        market_id=MarketId(name),
        event_id=EventId(f"e-{name}"),
        question=f"Who wins {name}?",
        outcomes=outcomes,
        status="active",
        tick_size=Price(tick),
        min_order_size=levels((1, 1))[0][1],
        fetched_at=ts,
        fee=FeeSchedule("polymarket", rate),
        tradable=True,
    )


def mispriced(market: Market, day: int, hour: float, asks: tuple[int, ...] = (30, 31, 32)) -> list[Record]:
    """Books of all outcomes that together cost less than a dollar, for a minute."""
    rows: list[Record] = []
    for number, ask in enumerate(asks):
        key, start = InstrumentKey(V, market.market_id, market.outcomes[number].instrument_id), hours(hour, day)
        rows += [
            BookSnapshot(key, start + n * S, None, 1, None, levels((ask - 3, 100)), levels((ask, 100)))
            for n in range(5)
        ]
        rows.append(Coverage(key, start, start + 60 * S, "covered", "live", 1))
    return rows


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


def run(capsys: pytest.CaptureFixture[str], dates: str) -> Mapping[str, list[dict[str, Any]]]:
    assert main(["backtest", "mock", dates, "--strategy", "arbitrage", "--format", "json"]) == 0
    found: Mapping[str, list[dict[str, Any]]] = json.loads(capsys.readouterr().out)
    return found


def of_day(found: Mapping[str, list[dict[str, Any]]]) -> tuple[float, int, float]:
    [row] = found["strategies"]
    return row["fees"], row["fills"], row["traded"]


def test_the_days_of_a_range_are_charged_as_they_are_alone(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    days = ((5_000, (30, 31, 32)), (8_000, (29, 33, 31)))
    for day, (rate, asks) in enumerate(days):
        market = race("race", hours(1, day), rate)
        listed_on(data, day, market)
        record(data, MIDNIGHT, mispriced(market, day, 2, asks))
    alone = [of_day(run(capsys, date)) for date in DAYS[:2]]
    for (fees, fills, traded), (rate, asks) in zip(alone, days, strict=True):
        assert (fills, round(traded)) == (3, sum(asks))
        assert fees == pytest.approx(sum(rate * ask * (100 - ask) for ask in asks) / 1e8, rel=1e-3)
    both = of_day(run(capsys, f"{DAYS[0]}..{DAYS[1]}"))
    assert both == pytest.approx([sum(each) for each in zip(*alone, strict=True)])


def test_a_market_that_no_scan_ever_saw_is_traded_and_settled(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, born = race("old", hours(1), 5_000), race("born", hours(2), 5_000)
    listed_on(data, 0, old)
    news = MarketChange(V, born.market_id, None, hours(2), None, "created", "{}", born)
    paid = tuple((each.instrument_id, Price(MICROS if each.label == "B" else 0)) for each in born.outcomes)
    ended = MarketResolved(V, born.market_id, hours(5), None, paid)
    record(data, MIDNIGHT, [*mispriced(old, 0, 2), news, *mispriced(born, 0, 3), ended])
    listed_on(data, 1, replace(old, fetched_at=hours(1, 1)))
    found = run(capsys, DAYS[0])
    assert found["strategies"][0]["baskets_settled"] == 1
    assert {row["question"] for row in found["positions"]} == {"Who wins old?"}
    assert found["recording"] == [
        {
            "instruments": 6,
            "unlisted": 0,
            "assumed": 0,
            "without_trades": 0,
            "polled": 0,
            "without_books": 0,
            "files_missing": 0,
            "days_missing": 0,
            "not_recorded": None,
        }
    ]


def test_what_a_backtest_does_without_is_said(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    market, nameless = race("race", hours(1), 5_000), race("nameless", hours(1), 5_000)
    listed_on(data, 0, market)
    record(data, MIDNIGHT, mispriced(market, 0, 2), mispriced(nameless, 0, 3), mispriced(market, 2, 2))
    data_files(Layout(data), "deltas")[1].unlink()
    assert main(["backtest", "mock", f"{DAYS[0]}..{DAYS[2]}", "--strategy", "arbitrage", "--format", "json"]) == 0
    out, err = capsys.readouterr()
    [summary] = json.loads(out)["recording"]
    assert summary == {
        "instruments": 6,
        "unlisted": 3,
        "assumed": 0,
        "without_trades": 0,
        "polled": 0,
        "without_books": 0,
        "files_missing": 1,
        "days_missing": 1,
        "not_recorded": DAYS[1],
    }
    for sentence in (
        "3 of 6 recorded instruments have no listing: they are not traded",
        f"not recorded: {DAYS[1]}",
        "a file is gone, whose time counts as a gap: see 'predsurv verify'",
    ):
        assert sentence in err.splitlines()


def test_without_coverage_it_refuses_in_one_line(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    market = race("race", hours(1), 5_000)
    listed_on(data, 0, market)
    record(data, MIDNIGHT, mispriced(market, 0, 2))
    shutil.rmtree(data / "coverage")
    assert main(["backtest", "mock", DAYS[0], "--strategy", "arbitrage"]) == 4
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert f"no coverage of {DAYS[0]}" in err


def test_positions_in_markets_that_are_gone_keep_their_names(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    market = race("race", hours(1), 5_000)
    listed_on(data, 0, market)
    record(data, MIDNIGHT, mispriced(market, 0, 2))
    run(capsys, DAYS[0])
    for day in range(1, 15):
        listed_on(data, day, race("other", hours(1, day), 5_000))
    assert main(["portfolio", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {(row["question"], row["outcome"]) for row in found["positions"]} == {
        ("Who wins race?", label) for label in "ABC"
    }


def test_a_bracket_is_kept_with_the_newest_run(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    market = race("race", hours(1), 5_000)
    listed_on(data, 0, market)
    record(data, MIDNIGHT, mispriced(market, 0, 2))
    asked = ["backtest", "mock", DAYS[0], "--strategy", "arbitrage", "--format", "json"]
    assert main([*asked, "--bracket", "--param", "queue_model=optimistic"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["queue_model"] for each in found["bracket"]] == ["pessimistic", "proportional", "optimistic"]
    assert [each["own"] for each in found["bracket"]] == [False, False, True]
    assert {each["pnl"] for each in found["bracket"]} == {found["account"][0]["pnl"]}, "it only takes: all are the same"
    assert main(["runs", "show", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["bracket"] == found["bracket"]
    assert main([*asked, "--bracket", "--param", "queue_model=optimistic,pessimistic"]) == 2
    assert "--bracket is of one run" in capsys.readouterr().err
