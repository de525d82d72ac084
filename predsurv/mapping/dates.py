"""The date grammar: "by Dec 31", "before Jan 1, 2027", "in 2030", "Q2 2026", "Dec 5-7", "11:59 PM ET", as windows.

Written for contracts, where the small word decides: "before January 1" and "by December 31" end at the same instant,
"in 2030" does not begin today, and a month alone after "by" is ambiguous and said to be so.
"""

import re
from collections.abc import Iterator
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from predsurv.mapping.calendar import ZONES, DayRange, PartialDate, partial_date

Op = Literal["by", "before", "in", "after", "since"]

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH: Final = (
    r"jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?"
)
_YEAR: Final = r"(?:19|20|21)[0-9]{2}"
_DAY: Final = r"[0-3]?[0-9](?:st|nd|rd|th)?"
_ATOM: Final = re.compile(
    rf"(?<![\w$.,])(?:(?P<iso>{_YEAR}-[01][0-9]-[0-3][0-9])"
    rf"|(?P<slash>[01]?[0-9]/[0-3]?[0-9](?:/(?:20)?[0-9]{{2}})?)"
    rf"|(?P<mdy>(?:{_MONTH})\.? {_DAY}(?![0-9:])(?:,? {_YEAR})?(?:\s?-\s?{_DAY}(?![0-9])(?:,? {_YEAR})?)?)"
    rf"|(?P<dmy>{_DAY} (?:of )?(?:{_MONTH})\b\.?(?:,? {_YEAR})?)"
    rf"|(?P<my>(?:{_MONTH})\.?,? (?:of )?{_YEAR})"
    rf"|(?P<quarter>q[1-4],? ?{_YEAR}|{_YEAR} ?q[1-4]|q[1-4])"
    rf"|(?P<season>{_YEAR}[-/](?:20)?[0-9]{{2}})"
    rf"|(?P<year>{_YEAR})"
    rf"|(?P<month>{_MONTH})\b\.?)(?![\w%°]|[.,][0-9]|-[0-9])"
)
_BEFORE: Final = re.compile(
    r"(?:\b(?P<prep>by|before|prior to|until|till|through|thru|during|in|on|after|since|from"
    r"|between|no later than|as of|for|at|of|starting))?"
    r"(?:(?:,? |\A)(?P<edge>(?:the )?(?:end|close|start"
    r"|beginning) of))?(?: (?:the )?(?:month of |year |week of )?)?\s?\Z"
)
_JOINED: Final = re.compile(r"\s?(?:-|to|and|through|until)\s?(?:the )?(?:end of )?\Z")
_OCCASION: Final = re.compile(
    r"[\s,']*(?:s )?(?:fomc |fed |policy |rate )*(?:meeting|decision|election|season|finals?|midterms?)\b"
)
_CLOCK: Final = re.compile(
    rf"\b(?P<hour>[01]?[0-9])(?::(?P<minute>[0-5][0-9])(?::[0-5][0-9])?)? ?(?P<half>a\.?m\b|p\.?m\b)\.?"
    rf"(?:,? \(?(?:us )?(?P<zone>{'|'.join(sorted(ZONES, key=lambda name: -len(name)))})\b)?"
)
_MIDNIGHT: Final = re.compile(rf"\bmidnight(?:,? \(?(?P<zone>{'|'.join(ZONES)})\b)?")
_NEAR: Final = 40
_OPS: Final[dict[str, Op]] = {
    "by": "by", "no later than": "by", "until": "by", "till": "by", "through": "by", "thru": "by", "before": "before",
    "prior to": "before", "after": "after", "since": "since", "starting": "since",
}  # fmt: skip


class Window(Struct, frozen=True):
    """A window of time that a text states: ``op`` with the dates ``first`` to ``last``, which are often the same.

    ``minute``: of the day at which it ends, with ``zone`` where one is stated. ``ambiguous``: "by June", which may mean
    its first or its last day. ``start`` and ``stop``: where the text says so.
    """

    op: Op
    first: PartialDate
    last: PartialDate
    start: int
    stop: int
    minute: int | None = None
    zone: str | None = None
    ambiguous: bool = False

    @property
    def dated(self) -> bool:
        """Return whether the year is stated."""
        return (self.first.year or self.last.year) is not None

    @property
    def precision(self) -> int:
        """Return 3 for a day, 2 for a month, 1 for a year."""
        return 3 if self.last.day else 2 if self.last.month else 1

    def days(self, year: int) -> DayRange:
        """Return the days that it covers; ``year`` is that of dates without one."""
        year = self.last.year or self.first.year or year
        if self.op == "before":
            return DayRange(None, self.first.first(year))
        if self.op == "by":
            return DayRange(None, self.last.after(year))
        if self.op == "after":
            return DayRange(self.last.after(year), None)
        if self.op == "since":
            return DayRange(self.first.first(year), None)
        low, high = self.first.first(year), self.last.after(year)
        return DayRange(low, high if high > low else self.last.after(year + 1))


def windows(text: str) -> tuple[Window, ...]:
    """Return the windows of a normalised text in order; a date that does not exist is none."""
    atoms = [atom for match in _ATOM.finditer(text) if (atom := _atom(match, text)) is not None]
    found: list[Window] = []
    index = 0
    while index < len(atoms):
        atom = atoms[index]
        later = atoms[index + 1] if index + 1 < len(atoms) else None
        joined = None if later is None else _joined(text, atom, later)
        found.append(_with_clock(text, _window(text, joined or atom, ranged=joined is not None)))
        index += 1 if joined is None else 2
    return tuple(found)


class _Atom(Struct, frozen=True):
    first: PartialDate
    last: PartialDate
    start: int
    stop: int


def _atom(match: re.Match[str], text: str) -> _Atom | None:
    kind = match.lastgroup or ""
    if kind == "month" and not _is_month(match, text):
        return None
    dates = [each for each in _READERS[kind](match[kind]) if each is not None]
    return _Atom(dates[0], dates[-1], match.start(), match.end()) if dates else None


def _is_month(match: re.Match[str], text: str) -> bool:
    """Tell the month from the words "may", "march", "mar", "dec" that stand alone."""
    before = text[max(match.start() - 12, 0) : match.start()]
    after_date_word = re.search(r"\b(?:in|by|before|during|of|for|this|after|through|until|since|end of)\s\Z", before)
    return after_date_word is not None or (len(match[0]) > 3 and match[0] not in ("may", "march"))


def _month(text: str) -> int | None:
    match = re.search(_MONTH, text)
    return None if match is None else _MONTHS.index(match[0][:3]) + 1


def _year(text: str) -> int | None:
    found = re.findall(rf"(?<![0-9]){_YEAR}(?![0-9])", text)
    return int(found[-1]) if found else None


def _day_and_month(text: str) -> Iterator[PartialDate | None]:
    year, month = _year(text), _month(text)
    for day in re.findall(r"(?<![0-9])[0-3]?[0-9](?=st|nd|rd|th|\b)", text):
        yield partial_date(year, month, int(day)) if int(day) else None


def _month_or_year(text: str) -> Iterator[PartialDate | None]:
    yield partial_date(_year(text), _month(text))


def _iso(text: str) -> Iterator[PartialDate | None]:
    year, month, day = map(int, text.split("-"))
    yield partial_date(year, month, day) if month and day else None


def _slash(text: str) -> Iterator[PartialDate | None]:
    month, day, *years = map(int, text.split("/"))
    year = None if not years else years[0] if years[0] > 99 else 2000 + years[0]
    yield partial_date(year, month, day) if years and month and day else None


def _quarter(text: str) -> Iterator[PartialDate | None]:
    match = re.search("q([1-4])", text)
    assert match is not None  # noqa: S101 - the pattern of the atom has it
    quarter = int(match[1])
    yield partial_date(_year(text), 3 * quarter - 2)
    yield partial_date(_year(text), 3 * quarter)


def _season(text: str) -> Iterator[PartialDate | None]:
    first, last = re.split("[-/]", text)
    end = int(last) if len(last) == 4 else int(first) // 100 * 100 + int(last)
    if end == int(first) + 1:
        yield partial_date(int(first), None)
        yield partial_date(end, None)


_READERS: Final = {
    "iso": _iso, "slash": _slash, "mdy": _day_and_month, "dmy": _day_and_month, "my": _month_or_year,
    "quarter": _quarter, "season": _season, "year": _month_or_year, "month": _month_or_year,
}  # fmt: skip


def _joined(text: str, one: _Atom, other: _Atom) -> _Atom | None:
    """Return the range "from ONE to OTHER", None where the text joins them otherwise."""
    between = text[one.stop : other.start]
    match = _JOINED.match(between)
    if match is None or match.end() != len(between):
        return None
    first, year = one.first, other.last.year
    if first.year is None and year is not None:
        later = first.first(year) > other.last.first(year)
        first = partial_date(year - later, first.month, first.day) or first
    return _Atom(first, other.last, one.start, other.stop)


def _window(text: str, atom: _Atom, *, ranged: bool) -> Window:
    before = _BEFORE.search(text[max(atom.start - _NEAR, 0) : atom.start])
    prep = (before and before["prep"]) or ""
    edge = (before and before["edge"]) or ""
    start = atom.start - (len(before[0]) if before and (prep or edge) else 0)
    op: Op = "in" if ranged else _OPS.get(prep, "in")
    if _OCCASION.match(text, atom.stop):
        op = "in" if op == "after" else op
    window = Window(op, atom.first, atom.last, start, atom.stop)
    if "start" in edge or "beginning" in edge:
        return replace(window, op="before" if op == "by" else op, last=atom.first)
    if edge:
        return (
            window if op in ("by", "before") else replace(window, first=_last_day(atom.last), last=_last_day(atom.last))
        )
    unsure = op == "by" and atom.last.day is None and prep in ("by", "until", "till")
    return replace(window, ambiguous=True) if unsure else window


def _last_day(last: PartialDate) -> PartialDate:
    """Return the last day of a month or year of which the year is known; other dates as they are."""
    if last.day is not None:
        return last
    month = last.month or 12
    days = (31, 29 if last.year is None or last.year % 4 == 0 else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    return replace(last, month=month, day=days[month - 1])


def _with_clock(text: str, window: Window) -> Window:
    """Return the window with the time of day that stands beside its date, if any."""
    low, high = max(window.start - _NEAR, 0), window.stop + _NEAR
    match = _CLOCK.search(text, window.stop, high) or _CLOCK.search(text, low, window.start)
    if match is None:
        midnight = _MIDNIGHT.search(text, low, high)
        return window if midnight is None else replace(window, minute=1_440, zone=midnight["zone"])
    hour = int(match["hour"]) % 12 + (12 if match["half"].startswith("p") else 0)
    if int(match["hour"]) > 12:
        return window
    return replace(window, minute=60 * hour + int(match["minute"] or 0), zone=match["zone"])
