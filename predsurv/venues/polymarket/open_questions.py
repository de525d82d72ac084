"""What the announcements of a feed left open, for ``market_lookup`` to find out.

Bounded: beyond ``OPEN_MAX`` the oldest question is dropped and counted; the next scan answers it.
"""

from typing import Final, TypeVar

from msgspec import Struct

from predsurv.core.ids import MarketId
from predsurv.core.market import Market
from predsurv.venues.polymarket.gamma_row import ReadRow

Question = TypeVar("Question")

OPEN_MAX: Final = 4_096
"""Most new markets, and most settlements, that wait: a quarter of an hour of new markets at the most seen, 5/s."""


class NewMarket(Struct):
    """A new market of which it is not known yet whether it trades.

    ``read``: the announcement as a row; ``market``: what it says, None while it has no tokens. ``since`` and ``due``:
    when it was taken up and when to ask next (monotonic, ns). ``taken_up``: it was said to trade because of the
    announcement alone. ``has_book``: REST has a book of it.
    """

    read: ReadRow
    market_id: MarketId
    market: Market | None
    since: int | None = None
    due: int = 0
    attempts: int = 0
    taken_up: bool = False
    has_book: bool = False


class Unsettled(Struct):
    """A market that settled, with payouts that were not announced; the times are as in ``NewMarket``.

    ``ended``: when the venue says that it closed (ns UTC), None where that is not stated.
    """

    market_id: MarketId
    tokens: tuple[str, ...]
    since: int | None = None
    due: int = 0
    attempts: int = 0
    ended: int | None = None


class LookupCounts(Struct):
    """``lookups_unanswered``: failed requests; ``lookups_dropped``: questions beyond ``OPEN_MAX``;
    ``lookups_given_up``: new markets that did not begin to trade, and settlements without payouts, for too long.
    """

    lookups_unanswered: int = 0
    lookups_dropped: int = 0
    lookups_given_up: int = 0


class OpenQuestions:
    """The questions by market: ``new`` whether it trades, ``unsettled`` what it pays.

    ``connections``: how many were opened so far; what was announced before is a question of its own.
    """

    def __init__(self, counts: LookupCounts | None = None) -> None:
        self.counts = counts or LookupCounts()
        self.new: dict[MarketId, NewMarket] = {}
        self.unsettled: dict[MarketId, Unsettled] = {}
        self.connections = 0

    def ask_whether_open(self, market: NewMarket) -> None:
        """Add a new market."""
        self._add(self.new, market.market_id, market)

    def ask_payouts(self, market: Unsettled) -> None:
        """Add a market that settled; whether it opens is no question any more."""
        self.new.pop(market.market_id, None)
        self._add(self.unsettled, market.market_id, market)

    def close(self, market_id: MarketId) -> None:
        """Remove the questions about a market."""
        self.new.pop(market_id, None)
        self.unsettled.pop(market_id, None)

    def _add(self, questions: dict[MarketId, Question], market_id: MarketId, question: Question) -> None:
        if len(questions) >= OPEN_MAX and market_id not in questions:
            del questions[next(iter(questions))]
            self.counts.lookups_dropped += 1
        questions.setdefault(market_id, question)
