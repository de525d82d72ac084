"""What was told of markets, so that nothing is told twice however many connections and lists say it."""

from typing import Any, Final

_SETTLED: Final[dict[object, object]] = {}
"""In place of what was told of a market that has settled: nothing but its whole life can be news."""
_TOLD: Final[dict[object, object]] = {}
"""In place of what was told of a market that has settled and whose whole life was told."""


class ToldFacts:
    """The last value of each subject, by ticker; beyond ``markets_max`` the market told of longest ago is forgotten."""

    def __init__(self, markets_max: int) -> None:
        self._markets_max = markets_max
        self._by_ticker: dict[str, dict[object, object]] = {}

    def was_told(self, ticker: str, subject: object) -> bool:
        """Return whether anything was told of a subject, or the market has settled."""
        known = self._by_ticker.get(ticker, {})
        return subject in known or known is _SETTLED or known is _TOLD

    def last(self, ticker: str, subject: object) -> object:
        """Return the last value of a market's subject, None when there was none or the market has settled."""
        return self._by_ticker.get(ticker, {}).get(subject)

    def is_new(self, ticker: str, subject: object, value: object) -> bool:
        """Remember a value; return whether it is news. The subject ``resolved`` settles the market.

        Of one that has settled only the subject ``life`` is news, once.
        """
        known = self._by_ticker.pop(ticker, {})
        if known is _SETTLED and subject == "life":
            remember(self._by_ticker, ticker, _TOLD, self._markets_max)
            return True
        is_new = known is not _SETTLED and known is not _TOLD and (subject not in known or known[subject] != value)
        if is_new and subject == "resolved":
            known = _TOLD if "life" in known else _SETTLED
        elif is_new:
            known[subject] = value
        remember(self._by_ticker, ticker, known, self._markets_max)
        return is_new


def remember(known: dict[Any, Any], key: object, value: object, entries_max: int) -> None:
    """Set an entry; the oldest ones make room for it."""
    while len(known) >= entries_max:
        del known[next(iter(known))]
    known[key] = value
