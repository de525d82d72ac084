"""Two runs side by side: what each earned and did, and what they were made with where that differs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Literal

from predsurv.cli.output.columns import TEXT_CHARS_MAX, span
from predsurv.cli.output.render import Column, Table, Value
from predsurv.cli.output.result_tables import loaded_of
from predsurv.store.universe import iso_second
from predsurv.trade.results.result import RunResult
from predsurv.trade.results.tally import Tally
from predsurv.trade.runs.folder import RunFolder
from predsurv.trade.runs.info import RunInfo

_MONEY: Final[Mapping[str, Callable[[Tally], int]]] = {
    "profit": lambda tally: tally.profit,
    "without rebates": lambda tally: tally.trading,
    "realised": lambda tally: tally.realised,
    "unrealised": lambda tally: tally.at_bid - tally.opening,
    "unrealised at liquidation": lambda tally: tally.at_liquidation - tally.opening,
    "fees": lambda tally: tally.fees,
    "rebates": lambda tally: tally.rebates,
    "turnover": lambda tally: tally.turnover,
}
_COUNTS: Final = ("orders", "fills", "rejected", "trips", "won")
_RUNS: Final = (("run_1", "First"), ("run_2", "Second"))
_SETTINGS: Final = (
    Column("figure", "Setting", keep=9),
    *(Column(key, title, keep=9, fit="wrap", width_max=TEXT_CHARS_MAX) for key, title in _RUNS),
)
_TIMES: Final = ("requested_from",)
_DURATIONS: Final = ("requested", "loaded")


def comparison(one: RunFolder, other: RunFolder) -> list[Table]:
    """Return what two runs earned and did side by side, and what they were made with where that differs.

    Raises IntegrityError for one that cannot be read.
    """
    infos = (one.info(), other.info())
    results = (one.results(), other.results())
    totals = [None if each is None else each.total for each in results]
    money = [
        _figure(name, *(None if each is None else value(each) for each in totals)) for name, value in _MONEY.items()
    ]
    counts = [_figure(name, *(None if each is None else getattr(each, name) for each in totals)) for name in _COUNTS]
    settings, note = list(_differing(infos, results)), f"first: {one.run}; second: {other.run}"
    return [
        Table("figures", "Money", _columns("micros"), money, note),
        Table("counts", "Counts", _columns("int"), counts),
        Table("settings", "What differs", _SETTINGS, settings, empty="both were made with the same"),
    ]


def _figure(name: str, one: int | None, other: int | None) -> Sequence[Value]:
    return (name, one, other, None if one is None or other is None else other - one)


def _columns(kind: Literal["micros", "int"]) -> tuple[Column, ...]:
    unit = "$" if kind == "micros" else ""
    numbered = (Column(key, title, kind, unit, keep=9) for key, title in _RUNS)
    return (
        Column("figure", "Figure", keep=9, fit="whole"),
        *numbered,
        Column("difference", "Difference", kind, unit, keep=9),
    )


def _differing(
    infos: tuple[RunInfo, RunInfo], results: tuple[RunResult | None, RunResult | None]
) -> Iterable[Sequence[Value]]:
    one, other = infos
    loaded = [loaded_of(*each) for each in zip(infos, results, strict=True)]
    for name in ("mode", "venues", "strategies", "requested_from", "requested", "loaded", "seed", "data", "complete"):
        a, b = loaded if name == "loaded" else (getattr(one, name), getattr(other, name))
        if a != b:
            yield name, _text(name, a), _text(name, b)
    mine, theirs = ({each.strategy: each.sha256 for each in info.sources} for info in (one, other))
    for name in dict.fromkeys([*mine, *theirs]):
        if mine.get(name) != theirs.get(name):
            yield f"source of {name}", _text("", mine.get(name)), _text("", theirs.get(name))
    for part in ("versions", "config"):
        mine, theirs = getattr(one, part), getattr(other, part)
        for name in dict.fromkeys([*mine, *theirs]):
            if mine.get(name) != theirs.get(name):
                yield name, _text(name, mine.get(name)), _text(name, theirs.get(name))


def _text(name: str, value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, int) and name in _TIMES:
        return iso_second(value)
    if isinstance(value, int) and name in _DURATIONS:
        return span(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {_text('', each)}" for key, each in value.items())
    digest = getattr(value, "digest", None)
    if digest is not None:
        return str(digest)
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
