"""``predsurv export taxes``: an account's journal as rows of purchases and disposals, with totals that agree."""

import csv
import io
from pathlib import Path

import msgspec
import pytest

from predsurv.cli.app import main
from predsurv.core.events import MarketResolved, RebatePaid
from predsurv.core.num import MICROS, Money, Price
from predsurv.core.reconciliation import CashCorrected
from predsurv.store.layout import NS_DAY
from predsurv.trade.journal import AccountCorrected, Entry, MarketSettled, OrderJournal, RebateBooked
from predsurv.trade.journal_path import journal_path
from tests.kit.backtests import listed_on
from tests.kit.run_entries import filled, sent, started
from tests.kit.trading_samples import ME, START, YES, V, market

FREE = {"fee": Money(0), "ts_venue": None}


@pytest.fixture(autouse=True)
def traded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    listed_on(tmp_path / "data", 0, market())
    path = journal_path(tmp_path / "data", "paper")
    path.parent.mkdir(parents=True)
    journal = OrderJournal(path)
    payouts = ((YES.instrument_id, Price(MICROS)),)
    entries: list[Entry] = [
        started(), sent("a"), filled("a", 10, 40, trade_id="a", ts_recv=START, **FREE),
        sent("b"), filled("b", 10, 50, trade_id="b", ts_recv=START + NS_DAY, fee=Money(120_000), ts_venue=None),
        sent("c"), filled("c", 15, 60, side="sell", trade_id="c", ts_recv=START + 2 * NS_DAY, **FREE),
        MarketSettled(MarketResolved(V, YES.market_id, START + 3 * NS_DAY, None, payouts)),
    ]  # fmt: skip
    for entry in entries:
        journal.append(entry)
    journal.close()


def test_an_account_is_rows_of_csv(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "taxes"]) == 0
    told = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(told.out)))
    names = ("kind", "quantity", "proceeds", "cost_basis", "fees", "gain", "held_days")
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("buy", "10.0", "", "4.0", "0.0", "", ""),
        ("buy", "10.0", "", "5.0", "0.12", "", ""),
        ("sale", "10.0", "6.0", "4.0", "0.0", "2.0", "2"),
        ("sale", "5.0", "3.0", "2.5", "0.06", "0.44", "1"),
        ("settlement", "5.0", "5.0", "2.5", "0.06", "2.44", "2"),
    ]
    assert {row["question"] for row in rows} == {market().question}
    assert {row["outcome"] for row in rows} == {market().outcomes[0].label}
    assert "gains $4.88, which agrees with the account: realised $5.00 less fees $0.12" in told.err


def test_days_are_chosen_and_what_is_held_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    day = "1970-01-01"  # before anything
    assert main(["export", "taxes", "--mode", "paper", "--dates", day, "--format", "json"]) == 0
    told = capsys.readouterr()
    assert told.out.strip() == "[]"
    assert "gains of these days $0.00; those of the whole account $4.88" in told.err


def test_what_is_held_and_rebates_are_part_of_what_agrees(capsys: pytest.CaptureFixture[str]) -> None:
    journal = OrderJournal(journal_path(Path("data"), "paper"))
    journal.append(RebateBooked(RebatePaid(V, market().market_id, START + 4 * NS_DAY, ME, START, Money(70_000))))
    journal.append(AccountCorrected(CashCorrected(V, START + 5 * NS_DAY, Money(0), "withdrawn")))
    other = market("n")
    listed_on(Path("data"), 0, market(), other)
    key = other.key(0)
    journal.append(sent("n", key=key))
    journal.append(filled("n", 10, 30, key=key, trade_id="n", ts_recv=START + 6 * NS_DAY, **FREE))
    journal.close()
    assert main(["export", "taxes", "--mode", "paper", "--format", "json"]) == 0
    told = capsys.readouterr()
    rows = msgspec.json.decode(told.out)
    kinds = [(row["kind"], row["gain"], row["outcome"]) for row in rows[-3:]]
    assert kinds == [("rebate", 0.07, None), ("cash", None, None), ("buy", None, other.outcomes[0].label)]
    assert "and rebates $0.07; what is held cost $3.00 by first in, first out, $3.00 by the account's" in told.err


def test_a_backtest_has_a_ledger_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    for name, mode in (("20270115T000000000Z-backtest-mock", "backtest-mock"), ("20270116T000000000Z-paper", "paper")):
        folder = Path("data/runs") / name
        folder.mkdir(parents=True)
        (folder / "journal.db").write_bytes(journal_path(Path("data"), "paper").read_bytes())
        (folder / "run.json").write_text("{}")
        assert mode in name
    assert main(["export", "taxes", "--run", "20270115T"]) == 0
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 6
    assert told.err.startswith("backtest-mock: gains $4.88")
    assert main(["export", "taxes", "--run", "latest"]) == 2
    assert "went on with an account: name that with --mode paper" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--mode", "live"], "no account 'live'; there are paper"),
        (["--mode", "paper", "--run", "latest"], "name one of them"),
        (["--run", "latest"], "run"),
    ],
)
def test_what_is_not_there_is_one_line(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "taxes", *words]) == 2
    told = capsys.readouterr().err
    assert says in told
    assert len(told.splitlines()) == 1
