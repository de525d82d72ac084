"""What a market's own words say about its contract, field by field; silent where they say nothing."""

import re
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from predsurv.mapping import rule_terms
from predsurv.mapping.actions import actions, bets, is_negated
from predsurv.mapping.calendar import DayRange, PartialDate
from predsurv.mapping.dates import Window, windows
from predsurv.mapping.games import Game, TickerDate, is_combination, kalshi_game, polymarket_game, ticker_date
from predsurv.mapping.normalise import RULES_CHARS_MAX, TITLE_CHARS_MAX, normalise, raw_words, words
from predsurv.mapping.quantities import Quantity, quantities
from predsurv.mapping.teams import spelt_out

_LEAGUES: Final = ("nba", "nfl", "mlb", "nhl")
_HINTS: Final = {
    "nba": ("basketball", "nba"),
    "nfl": ("pro football", "nfl", "super bowl"),
    "mlb": ("baseball", "mlb", "world series"),
    "nhl": ("hockey", "nhl", "stanley"),
}
_NS_MINUTE: Final = 60_000_000_000
_EPOCH_MINUTE: Final = datetime(1970, 1, 1, tzinfo=UTC).toordinal() * 1_440


class Listing(Struct, frozen=True):
    """A market as a venue lists it. ``close``: ns UTC; ``outcomes``: its labels; ``kind``: how it pays, "" if unstated.

    ``reference``: what an identifier is read from, a ticker or a slug. Empty texts are texts that are not there.
    ``series``: which series of markets it recurs in, in the venue's words; a ticker begins with it.
    ``paid``: what a share of its first outcome paid (micros), None while it has not settled, or was void.
    """

    venue: str
    market_id: str
    title: str
    subtitle: str = ""
    rules: str = ""
    close: int | None = None
    event_id: str = ""
    reference: str = ""
    kind: str = ""
    outcomes: tuple[str, ...] = ("Yes", "No")
    paid: int | None = None
    series: str = ""


class RuleTerms(Struct, frozen=True):
    """What the rules say; every field is empty or None where they are silent."""

    words: tuple[str, ...]
    window: Window | None
    sources: frozenset[str]
    indices: frozenset[str]
    stations: frozenset[str]
    void: str | None
    payoff: str | None
    actions: dict[str, str]


class Terms(Struct, frozen=True):
    """The fields of one market. ``words`` and ``subject``: content words of the title and of the subtitle, in order.

    ``window`` and ``quantity``: the ones that the title states, the subtitle's first; ``dated``: the date in its
    identifier; ``year``: of dates that state none, None where nothing tells it. ``close``: minutes of UTC since day 0.
    """

    venue: str
    market_id: str
    event_id: str
    words: tuple[str, ...]
    subject: tuple[str, ...]
    window: Window | None
    quantity: Quantity | None
    actions: dict[str, str]
    bets: frozenset[str]
    negated: bool
    dated: TickerDate | None
    game: Game | None
    combination: bool
    close: int | None
    rules: RuleTerms | None
    labels: tuple[str, ...] = ()
    paid: int | None = None
    series: str = ""

    @property
    def year(self) -> int | None:
        """Return the year that its dates have where they state none."""
        if self.window is not None and self.window.dated:
            return self.window.last.year or self.window.first.year
        if self.dated is not None:
            return self.dated.year
        return None if self.close is None else _year_of(self)

    def days(self, year: int) -> DayRange | None:
        """Return the days of its window; ``year``: of a date for which nothing tells the year."""
        if self.window is not None:
            return self.window.days(self.year or year)
        return None


def _year_of(terms: Terms) -> int | None:
    """Return the year in which the undated window lies nearest to the close of the market."""
    assert terms.close is not None  # noqa: S101 - asked only where there is one
    day = terms.close // 1_440
    near = datetime.fromordinal(day).year
    window = terms.window
    if window is None:
        return near
    return min((near - 1, near, near + 1), key=lambda year: abs(window.last.after(year) - day))


def read_terms(listing: Listing) -> Terms:
    """Return the fields of a market. Pure: the same listing gives the same fields; hostile text gives silent ones."""
    title, subtitle = normalise(listing.title), normalise(listing.subtitle)
    kalshi = listing.venue == "kalshi"
    reference = listing.reference or (listing.market_id if kalshi else "")
    league = _league(title, reference)
    dates = (*windows(subtitle), *windows(title))
    plain_title, plain_subtitle = _blanked(title, windows(title)), _blanked(subtitle, windows(subtitle))
    own = quantities(plain_subtitle, bare=_is_bare(plain_subtitle))
    stated = quantities(plain_title)
    both = f"{title} {subtitle}"
    labels = (
        () if listing.outcomes[:1] == ("Yes",) else tuple(normalise(each, TITLE_CHARS_MAX) for each in listing.outcomes)
    )
    return Terms(
        venue=listing.venue,
        market_id=listing.market_id,
        event_id=listing.event_id,
        words=_content(_blanked(plain_title, stated), league),
        subject=_content(_blanked(plain_subtitle, own), league),
        window=_principal(dates) or _this_year(title, reference if kalshi else ""),
        quantity=next(iter(own or stated), None),
        actions=actions(both),
        bets=bets(both),
        negated=is_negated(both),
        dated=ticker_date(reference) if kalshi else None,
        game=kalshi_game(reference)
        if kalshi
        else polymarket_game(reference, listing.kind if listing.kind != "binary" else ""),
        combination=kalshi and is_combination(reference),
        close=None if listing.close is None else _EPOCH_MINUTE + listing.close // _NS_MINUTE,
        rules=_rules(listing) if listing.rules else None,
        labels=labels,
        paid=listing.paid if not labels else None,
        series=listing.series or (reference.partition("-")[0] if kalshi else ""),
    )


def _rules(listing: Listing) -> RuleTerms:
    rules = normalise(listing.rules, RULES_CHARS_MAX)
    found = windows(rules)
    return RuleTerms(
        words=rule_terms.rule_words(rules),
        window=_deciding(found),
        sources=rule_terms.sources(rules),
        indices=rule_terms.indices(rules),
        stations=rule_terms.stations(rules),
        void=rule_terms.void_rule(rules),
        payoff=rule_terms.payoff(rules, listing.kind),
        actions=actions(rules),
    )


def _principal(found: tuple[Window, ...]) -> Window | None:
    """Return the window that decides: the most exact one, the first of several."""
    return max(found, key=lambda window: (window.precision, window.dated), default=None)


def _this_year(title: str, ticker: str) -> Window | None:
    """Return the year of a ticker as the window of a title that asks about "this year"."""
    dated = ticker_date(ticker) if "this year" in title else None
    if dated is None:
        return None
    year, start = PartialDate(dated.year), title.index("this year")
    return Window("in", year, year, start, start + len("this year"))


def _deciding(found: tuple[Window, ...]) -> Window | None:
    """Return the window of rules that decides: a deadline before a day that merely begins or is spoken of."""
    return max(
        found,
        key=lambda window: (window.op in ("by", "before"), window.zone is not None, window.precision, window.dated),
        default=None,
    )


def _content(text: str, league: str | None) -> tuple[str, ...]:
    return words(" ".join(spelt_out(raw_words(text), league)))


def _blanked(text: str, spans: tuple[Window, ...] | tuple[Quantity, ...]) -> str:
    """Return ``text`` with the spans replaced by blanks of the same length."""
    for span in spans:
        text = text[: span.start] + " " * (span.stop - span.start) + text[span.stop :]
    return text


def _is_bare(subtitle: str) -> bool:
    """Return whether a subtitle is little more than a number: "25", "3 cuts", "-50 bps"."""
    return re.fullmatch(r"\s*(?:exactly )?[-+$]?[0-9][0-9,.]*\s?[a-z°%]*\s?[a-z]*\s*", subtitle) is not None


def _league(title: str, reference: str) -> str | None:
    series = reference.lower().removeprefix("kx")
    named = next((league for league in _LEAGUES if series.startswith(league)), None)
    return named or next((league for league, hints in _HINTS.items() if any(hint in title for hint in hints)), None)


def as_partial(dated: TickerDate) -> PartialDate:
    """Return the date of a ticker as a date of a text."""
    return PartialDate(dated.year, dated.month, dated.day)
