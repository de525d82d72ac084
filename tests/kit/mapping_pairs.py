"""The labelled pairs that the mapping is measured with, expanded from ``tests/data/mapping``.

An event gives one true pair for each of its names, and near misses: the same question of another name, and the
questions that differ in one thing. ``python -m tests.kit.mapping_pairs FILE`` writes them as CSV for ``predsurv map
score``.
"""

import csv
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

_FOLDER = Path(__file__).resolve().parents[1] / "data" / "mapping"
EVENTS = _FOLDER / "events.txt"
TITLES = _FOLDER / "titles.txt"
"""Events without rules."""
ELSEWHERE = _FOLDER / "elsewhere.txt"
"""Events without rules that nothing but the weights of the score was fitted to."""

COLUMNS = (
    "kalshi_ticker", "kalshi_title", "kalshi_subtitle", "kalshi_rules", "kalshi_close", "polymarket_id",
    "polymarket_question", "polymarket_rules", "polymarket_close", "polymarket_event", "label", "reason",
)  # fmt: skip
OTHER_NAMES_MAX = 2


class PairedName(Struct, frozen=True):
    """A name of an event as either venue writes it."""

    code: str
    kalshi: str
    polymarket: str


class NearMiss(Struct, frozen=True):
    """A question that is not the same, and why; ``once``: of the first name only."""

    reason: str
    question: str
    once: bool


class PairedEvent(Struct):
    """An event on both venues. ``untrue``: why its names are near misses themselves, "" where they are the same."""

    ticker: str
    kalshi_close: str
    polymarket_close: str
    texts: dict[str, str]
    names: list[PairedName]
    near: list[NearMiss]
    untrue: str = ""


def events(path: Path = EVENTS) -> list[PairedEvent]:
    """Return the events of the file."""
    found: list[PairedEvent] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "@":
            found.append(_event(rest))
        elif kind in ("n", "o"):
            reason, _, question = rest.partition(" ")
            found[-1].near.append(NearMiss(reason, question, kind == "o"))
        elif kind == "x":
            found[-1].names.extend(_names(rest))
        elif kind == "z":
            found[-1].untrue = rest
        elif kind in ("k", "p", "kr", "pr"):
            found[-1].texts[kind] = rest
    return found


def _event(text: str) -> PairedEvent:
    ticker, kalshi_close, polymarket_close = text.split()
    return PairedEvent(ticker, kalshi_close, polymarket_close, {}, [], [])


def _names(text: str) -> Iterator[PairedName]:
    for each in text.split("; "):
        code, *forms = each.split("=")
        yield PairedName(code, forms[0], forms[-1])


def rows(*, rules: bool = True) -> list[dict[str, str]]:
    """Return the pairs as rows of ``COLUMNS``; without ``rules`` there are titles only.

    Then there are no closing times, and no events whose rules alone tell the markets apart.
    """
    if rules:
        return [row for event in events() for row in _rows_of(event)]
    return titles(event for event in (*events(), *events(TITLES)) if not event.untrue)


def titles(told: Iterable[PairedEvent]) -> list[dict[str, str]]:
    """Return the pairs of events as rows without rules and closing times."""
    hidden = dict.fromkeys(("kalshi_rules", "polymarket_rules", "kalshi_close", "polymarket_close"), "")
    return [row | hidden for event in told for row in _rows_of(event)]


def _rows_of(event: PairedEvent) -> Iterator[dict[str, str]]:
    for index, name in enumerate(event.names):
        kalshi = _kalshi(event, name)
        yield kalshi | _polymarket(event, name) | _label(event.untrue)
        for step in range(1, min(OTHER_NAMES_MAX + 1, len(event.names))):
            other = event.names[(index + step) % len(event.names)]
            yield kalshi | _polymarket(event, other) | _label("other name")
        for number, near in enumerate(event.near):
            if not (near.once and index):
                yield kalshi | _near(event, name, near, number) | _label(near.reason)


def _label(reason: str) -> dict[str, str]:
    return {"label": "0" if reason else "1", "reason": reason}


def _kalshi(event: PairedEvent, name: PairedName) -> dict[str, str]:
    title, _, subtitle = _filled(event.texts["k"], name).partition(" / ")
    return {
        "kalshi_ticker": f"{event.ticker}-{name.code}",
        "kalshi_title": title,
        "kalshi_subtitle": subtitle,
        "kalshi_rules": _filled(event.texts.get("kr", ""), name),
        "kalshi_close": event.kalshi_close,
    }


def _polymarket(event: PairedEvent, name: PairedName) -> dict[str, str]:
    return {
        "polymarket_id": f"{event.ticker}:{name.code}",
        "polymarket_question": _filled(event.texts["p"], name),
        "polymarket_rules": _filled(event.texts.get("pr", ""), name),
        "polymarket_close": event.polymarket_close,
        "polymarket_event": event.ticker,
    }


def _near(event: PairedEvent, name: PairedName, near: NearMiss, number: int) -> dict[str, str]:
    question = _filled(near.question, name)
    source = event.texts.get("pr", "").partition("The ")[2].rpartition("resolution source")[2]
    return {
        "polymarket_id": f"{event.ticker}:{name.code}:{number}",
        "polymarket_question": question,
        "polymarket_rules": f'This market will resolve to "Yes" if so: {question}. Otherwise, this market will '
        f'resolve to "No". The resolution source{_filled(source, name) or " is credible reporting."}',
        "polymarket_close": event.polymarket_close,
        "polymarket_event": f"{event.ticker}:{number}",
    }


def _filled(text: str, name: PairedName) -> str:
    return text.replace("{k}", name.kalshi).replace("{p}", name.polymarket)


def write_pairs(path: Path, found: list[Mapping[str, str]] | list[dict[str, str]]) -> Path:
    """Write rows as CSV and return its path."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(found)
    return path


if __name__ == "__main__":
    write_pairs(Path(sys.argv[1]), rows())
