"""When: windows, deadlines to the minute, and the dates in tickers, of two markets compared."""

from datetime import date

from msgspec.structs import replace

from predsurv.mapping.calendar import DAY_MINUTES, LEAP_YEAR, DayRange, PartialDate, relate_days, utc_minute
from predsurv.mapping.dates import Window
from predsurv.mapping.findings import Finding, Status
from predsurv.mapping.terms import Terms, as_partial


def window(one: Terms, other: Terms) -> Finding:
    """Compare the windows: by year, by month and day where a year is not known, and by their closing instants."""
    texts = window_text(one), window_text(other)
    first, second = one.window or _rules_window(one), other.window or _rules_window(other)
    if first is None or second is None:
        return Finding("window", "unknown", *texts)
    if first.ambiguous or second.ambiguous:
        return Finding("window", _ambiguous(one, other, first, second), *texts)
    return Finding("window", _related(one, other, first, second), *texts)


def cutoff(one: Terms, other: Terms) -> Finding:
    """Compare the instants at which deadlines and days end, zone included; a whole month or year has none."""
    found = [each for each in (one.window, other.window, _rules_window(one), _rules_window(other)) if each is not None]
    if one.game is not None and other.game is not None:
        return Finding("cutoff", "absent")
    if found and not any(each.op in ("by", "before") or each.precision == 3 for each in found):
        return Finding("cutoff", "absent")
    first, second = closing(one), closing(other)
    texts = _instant(first), _instant(second)
    if first is None or second is None:
        return Finding("cutoff", "unknown", *texts)
    return Finding("cutoff", "agree" if abs(first - second) <= 1 else "conflict", *texts)


def _instant(minute: int | None) -> str:
    if minute is None:
        return ""
    day, rest = divmod(minute, DAY_MINUTES)
    return f"{date.fromordinal(day)} {rest // 60:02d}:{rest % 60:02d} UTC"


def _rules_window(terms: Terms) -> Window | None:
    return None if terms.rules is None else terms.rules.window


def ticker(one: Terms, other: Terms) -> Finding:
    """Compare the date of a ticker with the window of the other side's title, where its own title states none.

    Doubt, no proof: some tickers carry the day of settlement, and a season has two years.
    """
    kalshi, question = (one, other) if one.dated is not None else (other, one)
    dated, window = kalshi.dated, question.window
    if dated is None or window is None or (kalshi.window is not None and kalshi.window.dated):
        return Finding("ticker", "absent")
    named, days = as_partial(dated), window.days(window.last.year or window.first.year or dated.year)
    low, high = named.first(dated.year), named.after(dated.year)
    if window.op in ("by", "before"):
        fits = days.high is None or low <= days.high <= high
    else:
        fits = relate_days(days, DayRange(low, high)) != "different"
    return Finding("ticker", "agree" if fits else "overlap", _date_text(named), window_text(question))


def _related(one: Terms, other: Terms, first: Window, second: Window) -> Status:
    years = one.year, other.year
    if None in years:
        return _without_year(first, second, next((each for each in years if each is not None), None))
    relation = relate_days(first.days(years[0] or LEAP_YEAR), second.days(years[1] or LEAP_YEAR))
    status: dict[str, Status] = {"equal": "agree", "subset": "narrower", "superset": "wider", "overlap": "overlap"}
    found = status.get(relation, "conflict")
    if found == "overlap" and first.precision == second.precision == 3:
        return "conflict"
    deadlines = {first.op, second.op} <= {"by", "before"}
    return "conflict" if found in ("narrower", "wider") and deadlines else found


def _without_year(first: Window, second: Window, known: int | None) -> Status:
    """Compare dates of which one states no year: with the year that brings it nearest to the other one."""
    if first.last.month is None or second.last.month is None:
        return "unknown"
    years = (LEAP_YEAR,) if known is None else (known - 1, known, known + 1)
    pairs = [(_in_year(first, year, known), _in_year(second, year, known)) for year in years]
    mine, yours = min(
        pairs, key=lambda pair: abs((pair[0].high or pair[0].low or 0) - (pair[1].high or pair[1].low or 0))
    )
    if mine == yours:
        return "likely"
    deadlines = {first.op, second.op} <= {"by", "before"}
    return "conflict" if deadlines or relate_days(mine, yours) == "different" else "unknown"


def _in_year(window: Window, year: int, known: int | None) -> DayRange:
    """Return the days of a window: in ``year`` where it states none, or where no year of either side is known."""
    return window.days(year) if known is not None else _undated(window).days(year)


def _undated(window: Window) -> Window:
    first, last = (PartialDate(LEAP_YEAR, each.month, each.day) for each in (window.first, window.last))
    return replace(window, first=first, last=last)


def same_end(one: Terms, other: Terms) -> bool:
    """Return whether the windows of both titles end on the same day, as far as both say."""
    if one.window is None or other.window is None:
        return False
    year = one.year or other.year or LEAP_YEAR
    return one.window.days(one.year or year).high == other.window.days(other.year or year).high


def _ambiguous(one: Terms, other: Terms, first: Window, second: Window) -> Status:
    """ "By June" ends on its first or on its last day: a conflict only where neither reading fits."""
    year = one.year or other.year or LEAP_YEAR
    ends = [
        {each.days(terms.year or year).high, *([each.first.first(terms.year or year)] if each.ambiguous else [])}
        for terms, each in ((one, first), (other, second))
    ]
    return "unknown" if ends[0] & ends[1] else "conflict"


def closing(terms: Terms) -> int | None:
    """Return the instant (minutes of UTC since day 0) at which the stated window ends, None where a zone is missing.

    It is stated by a clock with its zone in title or rules, or by a close time within a day of the last day's end.
    """
    window = terms.window or _rules_window(terms)
    stated = next((each for each in (terms.window, _rules_window(terms)) if each is not None and each.zone), None)
    if window is None:
        return terms.close
    year = terms.year
    high = None if year is None else window.days(year).high
    if high is None:
        return terms.close
    if stated is not None and stated.zone and stated.minute is not None:
        minute = stated.minute + 1 if stated.minute % 60 == 59 else stated.minute
        day = high - 1 if stated.op != "before" else high
        return utc_minute(day, minute, stated.zone)
    return terms.close if terms.close is not None and 0 <= terms.close + 1 - high * 1_440 <= 1_440 else None


def window_text(terms: Terms) -> str:
    """Return the window of a market in short, "" where none is stated."""
    window = terms.window or _rules_window(terms)
    if window is None:
        return ""
    first, last = _date_text(window.first), _date_text(window.last)
    return f"{window.op} {first}" if first == last else f"{window.op} {first} to {last}"


def _date_text(each: object) -> str:
    parts = (getattr(each, name) for name in ("year", "month", "day"))
    return "-".join(
        "?" if part is None and index == 0 else f"{part:02d}" for index, part in enumerate(parts) if part or not index
    )


def moment_against_deadline(one: Terms, other: Terms) -> bool:
    """Return whether one asks for a value on a day and the other for reaching it by a day."""
    if one.quantity is None or other.quantity is None or one.window is None or other.window is None:
        return False
    ops = {
        (each.op in ("by", "before"), each.op == "in" and each.precision == 3) for each in (one.window, other.window)
    }
    return ops == {(True, False), (False, True)}
