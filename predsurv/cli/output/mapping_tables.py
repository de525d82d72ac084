"""The tables of ``predsurv map``."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from predsurv.cli.output.render import Column, Table, Value, render
from predsurv.config.mappings import PairName
from predsurv.core.text import sanitise
from predsurv.mapping.build import BuiltQueue
from predsurv.mapping.findings import Finding
from predsurv.mapping.queue import DecidedPair
from predsurv.mapping.settled_pairs import SettledPairs
from predsurv.mapping.trial import Trial, WrongPair

_QUEUE: Final = (
    Column("number", "#", "int", keep=9),
    Column("state", "State", keep=9),
    Column("relation", "Relation", keep=8),
    Column("score", "Score", "decimal", keep=7, places=3),
    Column("first_title", "First", keep=9),
    Column("second_title", "Second", keep=9),
    Column("silent", "Not stated", keep=5),
    Column("differs", "Differs", keep=4),
    Column("first_venue", "Venue", keep=0),
    Column("first_market", "Market", keep=0),
    Column("second_venue", "Venue", keep=0),
    Column("second_market", "Market", keep=0),
    Column("rank", "Rank", "int", keep=1),
    Column("union", "Union of", keep=1),
    Column("prices", "Prices, no proof", keep=3),
)
_QUALITY: Final = (
    Column("pairs", "Pairs", "int", keep=9),
    Column("positives", "True", "int", keep=9),
    Column("accepted", "Accepted", "int", keep=9),
    *(
        Column(name, title, "decimal", keep=9, places=3)
        for name, title in (
            ("precision", "Precision"),
            ("recall", "Recall"),
            ("average_precision", "AP"),
            ("recall_at_p95", "R at P≥.95"),
            ("recall_at_p98", "R at P≥.98"),
            ("top1_recall", "Top 1"),
            ("top3_recall", "Top 3"),
        )
    ),
)
_WRONG: Final = (
    Column("kind", "Wrong", keep=9),
    Column("relation", "Relation", keep=8),
    Column("score", "Score", "decimal", keep=7, places=3),
    Column("rank", "Rank", "int", keep=4),
    Column("first_title", "Kalshi", keep=9),
    Column("second_title", "Polymarket", keep=9),
    Column("evidence", "Evidence", keep=8),
    Column("reason", "Label's reason", keep=2),
    Column("first_market", "Ticker", keep=0),
    Column("second_market", "Polymarket id", keep=0),
)


def queue_table(pairs: Sequence[DecidedPair], top: int, prices: Mapping[PairName, str] | None = None) -> Table:
    """Return the best ``top`` pairs as a table; ``prices``: how those of a pair moved, in words."""
    rows = [
        (*_queue_row(number, each), (prices or {}).get(each.name) or None) for number, each in enumerate(pairs[:top], 1)
    ]
    note = f"{len(rows)} of {len(pairs):,} pairs; a score orders the queue, a person approves"
    return Table("pairs", "Markets that may be the same contract", _QUEUE, rows, note, empty="no pair is worth a look")


def _queue_row(number: int, pair: DecidedPair) -> Sequence[Value]:
    each = pair.candidate
    if each is None:
        (first_venue, first), (second_venue, second) = pair.name.first, pair.name.second
        return (
            number,
            pair.state,
            None,
            None,
            first,
            second,
            None,
            ", ".join(pair.changed),
            first_venue,
            first,
            second_venue,
            second,
            None,
            None,
        )
    differs = ", ".join(pair.changed) or _named(each.evidence, {"conflict", "narrower", "wider", "overlap", "opposite"})
    return (
        number,
        pair.state,
        each.relation,
        each.score,
        each.first_title,
        each.second_title,
        _named(each.evidence, {"unknown"}),
        differs,
        each.first_venue,
        each.first_market,
        each.second_venue,
        each.second_market,
        each.rank,
        ", ".join(each.union),
    )


def _named(evidence: Iterable[Finding], statuses: set[str]) -> str:
    return ", ".join(each.field for each in evidence if each.status in statuses)


def built_table(built: BuiltQueue) -> str:
    """Return what a build did as one line."""
    first, second = built.markets
    return f"{first:,} × {second:,} markets, {built.pairs:,} candidates compared, {len(built.queue):,} in the queue"


def settled_line(settled: SettledPairs) -> str:
    """Return how pairs of settled markets paid as one line, "" where there are none to compare."""
    first, second = settled.markets
    if not (first and second):
        return ""
    alike, wrong = len(settled.alike), settled.contradicted
    line = f"{first:,} × {second:,} settled markets: {alike + len(wrong):,} pairs read as one, {alike:,} paid alike"
    shown = ", ".join(f"{sanitise(one, 40)} and {sanitise(other, 40)}" for one, other in wrong[:_WRONG_SHOWN])
    more = len(wrong) - _WRONG_SHOWN
    return f"{line}; not {shown}{f' and {more:,} more' if more > 0 else ''}" if wrong else line


def vetoed_line(pairs: int) -> str:
    """Return how many pairs earlier ones of their series speak against as one line, "" where there are none."""
    return (
        f"{pairs:,} pairs of series that settled differently before cannot be approved; map list names what did"
        if pairs
        else ""
    )


_WRONG_SHOWN: Final = 3


def quality_tables(trial: Trial, wrong: int) -> list[Table]:
    """Return the figures of a trial and what it got wrong."""
    quality = trial.quality
    row: Sequence[Value] = tuple(getattr(quality, column.key) for column in _QUALITY)
    note = "precision and recall: pairs accepted without a person; the rest: the order of the score"
    rows = [_wrong_row(each) for each in trial.wrong[:wrong]]
    more = f"{len(rows)} of {len(trial.wrong):,}"
    return [
        Table("quality", "Mapping against labels", _QUALITY, [row], note),
        Table("wrong", "Pairs on the wrong side", _WRONG, rows, more, empty="none"),
    ]


def quality_json(trial: Trial, wrong: int) -> str:
    """Return a trial as one JSON object: the figures by name, and ``wrong``, a list of pairs."""
    tables = quality_tables(trial, wrong)
    figures, pairs = (json.loads(render([table], "json")) for table in tables)
    return json.dumps(figures[0] | {"wrong": pairs}, indent=1, ensure_ascii=False)


def _wrong_row(each: WrongPair) -> Sequence[Value]:
    compared = each.pair.comparison
    return (
        each.kind,
        compared.relation,
        each.pair.score,
        each.pair.rank,
        each.first_title,
        each.second_title,
        evidence_text(compared.evidence),
        each.reason,
        each.pair.first,
        each.pair.second,
    )


def evidence_text(evidence: Iterable[Finding]) -> str:
    """Return the findings that stand against ``same`` as one line."""
    return "; ".join(_finding(each) for each in evidence if each.status not in ("agree", "absent"))


def _finding(each: Finding) -> str:
    sides = f" ({each.first or '–'} | {each.second or '–'})" if each.first or each.second else ""
    return f"{each.field} {each.status}{sides}"
