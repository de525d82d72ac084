"""The comparison with the paper twin, on the page and in tables: every difference, hostile text escaped."""

import pytest

from predsurv.cli.output.twin_tables import NOT_THERE, twin_tables
from predsurv.trade.journal import Entry
from predsurv.trade.report import twin as section
from predsurv.trade.report.twin import beside_twin
from predsurv.trade.results.divergence import divergence
from predsurv.trade.results.ledger import Opening, fold
from predsurv.trade.results.result import Books, Course, RunResult, result_of
from predsurv.trade.runs.beside import TwinBeside
from tests.kit.run_entries import filled, sent, started
from tests.kit.trading_samples import START, S, market

HOSTILE = "<script>alert(1)</script>"
LIVE: list[Entry] = [
    started(),
    sent("l1", price=40, size=100),
    filled("l1", 60, 40, ts_recv=START + 2 * S),
    sent("l2", side="sell"),
]
PAPER: list[Entry] = [started(), sent("p1", price=40, size=100), filled("p1", 100, 39, ts_recv=START + S)]


def result(entries: list[Entry]) -> RunResult:
    ledger = fold(Opening(), entries, lambda _venue, _market_id: None)
    return result_of(ledger, Books({}, {}, ((market(question=HOSTILE),),)), Course())


def beside(*, whole: bool = True) -> TwinBeside:
    return TwinBeside(result(PAPER), divergence(LIVE, PAPER), whole)


def test_the_page_says_what_traded_where_and_escapes_titles() -> None:
    text = beside_twin(result(LIVE), beside())
    assert "Of the orders that both had, 1 traded in both, 0 in the live run alone, 0 on paper alone." in text
    assert (
        "1 orders were in the live run alone, 0 on paper alone. For 60 shares of both the live run paid $0.60" in text
    )
    assert "&lt;script&gt;" in text
    assert "<script>" not in text
    assert "<td>no such order</td>" in text
    assert "<td>1,000</td>" in text
    assert "The twin ended before" not in text


def test_the_page_is_bounded_and_says_that_the_twin_ended_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(section, "ORDERS_MAX", 1)
    text = beside_twin(result(LIVE), beside(whole=False))
    assert "<p>1 more.</p>" in text
    assert "The twin ended before the live run" in text
    same = TwinBeside(result(LIVE), divergence(LIVE, LIVE), True)
    assert "Orders that differ" not in beside_twin(result(LIVE), same)


def test_the_tables_have_every_figure_and_every_order_that_differs() -> None:
    money, counts, fills, orders = twin_tables(result(LIVE), result(PAPER), beside().divergence, whole=False)
    assert [row[0] for row in money.rows] == ["profit", "realised", "fees", "turnover"]
    assert all(row[1] - row[2] == row[3] for row in (*money.rows, *counts.rows))  # type: ignore[operator]
    assert "the twin ended before the live run" in money.note
    row = dict(zip([each.key for each in fills.columns], fills.rows[0], strict=True))
    assert (row["both"], row["live_only"], row["live_orders"], row["paper_orders"]) == (1, 0, 1, 0)
    assert (row["slippage"], row["later_median_ms"], row["later_p90_ms"]) == (600_000, 1_000, 1_000)
    named = [dict(zip([each.key for each in orders.columns], each, strict=True)) for each in orders.rows]
    assert [each["paper"] for each in named] == ["filled", NOT_THERE]
    assert [each["question"] for each in named] == [HOSTILE, HOSTILE]
    assert [each["worse"] for each in named] == [10_000, None]


def test_a_twin_that_did_the_same_has_no_delays_and_no_orders() -> None:
    nothing: list[Entry] = [started(), sent("a")]
    _, _, fills, orders = twin_tables(result(nothing), result(nothing), divergence(nothing, nothing), whole=True)
    assert fills.rows[0][6] is None
    assert not orders.rows
