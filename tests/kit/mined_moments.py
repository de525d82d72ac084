"""What was known when on a tape: covered stretches, held books, runs of quotes; found by looking."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import sqrt
from typing import NamedTuple

from tests.kit.mined_tapes import HOUR, BookRow, MinedTape


class HeldRow(NamedTuple):
    """A book row and from when to when it was the book, in one stretch of covered time."""

    start: int
    end: int
    row: BookRow
    visit: int


class QuoteRun(NamedTuple):
    """Quotes without a break, in order: each a held row, crossed ones left out."""

    pieces: tuple[HeldRow, ...]

    @property
    def start(self) -> int:
        return self.pieces[0].start

    @property
    def end(self) -> int:
        return self.pieces[-1].end

    @property
    def visit(self) -> int:
        return self.pieces[0].visit

    def at(self, ts: int) -> BookRow:
        return next(each.row for each in self.pieces if each.start <= ts < each.end)


def stretches(tape: MinedTape) -> list[tuple[int, int]]:
    """Return covered time: where anything covers it, as stretches without a break."""
    edges = sorted({edge for visit in tape.visits for edge in visit} | {0, tape.hours * HOUR})
    found: list[tuple[int, int]] = []
    for low, high in pairwise(edges):
        if high <= tape.hours * HOUR and any(start <= low and high <= end for start, end in tape.visits):
            joins = bool(found) and found[-1][1] == low
            found[-1:] = [(found[-1][0], high)] if joins else [*found[-1:], (low, high)]
    return found


def held_rows(tape: MinedTape, hour: int) -> Iterator[HeldRow]:
    begin, finish = hour * HOUR, (hour + 1) * HOUR
    latest = {row.ts: row for row in tape.rows}  # of several at one moment the last
    for number, (start, end) in enumerate(stretches(tape)):
        inside = sorted(ts for ts in latest if start <= ts < end)
        for ts in inside:
            until = min([end, *(each for each in latest if each > ts)])
            low, high = max(ts, begin), min(until, finish)
            if low < high:
                yield HeldRow(low, high, latest[ts], number)


def ratio_error(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Return the standard error of Σx / Σs over visits (x, s), as docs/metrics.md has it."""
    pairs = [(x, s) for x, s in pairs if s > 0]
    n, total = len(pairs), sum(s for _, s in pairs)
    if n < 2:
        return None
    ratio = sum(x for x, _ in pairs) / total
    return sqrt(n / (n - 1) * sum((x - ratio * s) ** 2 for x, s in pairs)) / total


def best(row: BookRow) -> tuple[float, float] | None:
    return (row.bids[0][0], row.asks[0][0]) if row.bids and row.asks else None


def crossed(row: BookRow) -> bool:
    prices = best(row)
    return prices is not None and prices[0] >= prices[1]


def mid(row: BookRow) -> float | None:
    prices = best(row)
    return None if prices is None or crossed(row) else (prices[0] + prices[1]) / 2


def quote_runs(held: Sequence[HeldRow]) -> Iterator[QuoteRun]:
    pieces: list[HeldRow] = []
    broken = True
    for each in held:
        if pieces and pieces[-1].visit != each.visit:
            yield QuoteRun(tuple(pieces))
            pieces, broken = [], True
        if each.row.trusted and crossed(each.row):
            if pieces and not broken:
                pieces[-1] = pieces[-1]._replace(end=each.end)
        elif each.row.trusted and mid(each.row) is not None:
            pieces.append(each)
            broken = False
        else:
            if pieces:
                yield QuoteRun(tuple(pieces))
            pieces, broken = [], True
    if pieces:
        yield QuoteRun(tuple(pieces))
