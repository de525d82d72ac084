"""The books of one connection that did not match at their last check: searched, cleared, given up or reported."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from predsurv.venues.polymarket import hash_budget
from predsurv.venues.polymarket.book_hash import HashedBook, check_quotes, tick_sizes_of
from predsurv.venues.polymarket.hash_budget import HashBudget, HashCheckCounts
from predsurv.venues.polymarket.hash_search import HashSearch
from predsurv.venues.polymarket.hash_states import SUSPECTS, Evidence, VerificationState
from predsurv.venues.polymarket.last_trade_texts import LastTradeTexts
from predsurv.venues.polymarket.wire import WireChange

_MS: Final = 1_000_000
_S: Final = 1_000 * _MS

PATIENCE: Final = 2 * _S
"""A suspect that has not matched for this long (ns) is reported as wrong; doubled each time for the same token."""
PATIENCE_MAX: Final = 320 * _S
SEARCH_INTERVAL: Final = 200 * _MS
"""Time (ns) between two searches for the last trade price of a suspect."""
SEARCHES_MIN: Final = 3
"""Searches of a changing suspect that find nothing before it is reported: one may begin in the middle of a burst."""


class Suspect(Struct):
    """A book that did not match at its last check.

    ``since`` and ``searched_at`` (ns, monotonic): when nothing contradicted it last, and when the last search
    ended. ``search``: the one that is under way, begun at ``begun_at`` after ``last_change`` and with ``tick_size``.
    ``failed``: searches without success.
    """

    book: HashedBook
    since: int
    searched_at: int
    failed: int = 0
    begun_at: int = 0
    last_change: WireChange | None = None
    tick_size: str = ""
    search: HashSearch | None = None

    @property
    def is_searched(self) -> bool:
        """Whether a search of the present state failed: another one would find no more."""
        is_same = self.last_change is self.book.last_change and self.tick_size == self.book.inputs.tick_size
        return is_same and self.failed > 0 and self.search is None


class HashSuspects:
    """The suspects among ``books``. ``need_quotes``: some hashes prove nothing, so best prices have to be decoded."""

    def __init__(
        self, books: Mapping[str, HashedBook], budget: HashBudget, counts: HashCheckCounts, texts: LastTradeTexts
    ) -> None:
        self.need_quotes = False
        self._books = books
        self._budget = budget
        self._counts = counts
        self._texts = texts
        self._by_token: OrderedDict[str, Suspect] = OrderedDict()
        self._patience: dict[str, int] = {}

    def clear(self) -> None:
        """Forget every suspect."""
        self._by_token.clear()

    def forget(self, token: str, *, unsubscribed: bool) -> None:
        """Forget ``token``; with ``unsubscribed`` also how often it was reported."""
        self._by_token.pop(token, None)
        if unsubscribed:
            self._patience.pop(token, None)

    def take(self, book: HashedBook, evidence: Evidence | None, now: int) -> None:
        """Take what a check of ``book`` found."""
        if not book.hash:
            self.need_quotes = True
        if evidence is Evidence.MISMATCH:
            if book.state not in SUSPECTS:
                book.apply(evidence)
                self._counts.mismatched += 1
                self._by_token[book.token] = Suspect(book, now, now)
                self._by_token.move_to_end(book.token)
        elif evidence is not None:
            self._clear(book, evidence)

    def judge(self, ts: int, now: int) -> list[HashedBook]:
        """Search for what the hashes of suspects cover; return those that stayed wrong for too long.

        ``ts`` is wall time (ns UTC), ``now`` monotonic.
        """
        found: list[HashedBook] = []
        while self._by_token:
            token, suspect = next(iter(self._by_token.items()))
            book = suspect.book
            if book.state not in SUSPECTS or self._books.get(token) is not book:  # a snapshot came meanwhile
                del self._by_token[token]
                continue
            if not self._search(suspect, now):
                break
            self._by_token.move_to_end(token)
            evidence = book.check()
            if evidence in (Evidence.HASH_MATCH, Evidence.QUOTES_MATCH):
                book.verified_ts = ts
                self._counts.searched += evidence is Evidence.HASH_MATCH
                self._clear(book, evidence)
            elif self._is_hopeless(suspect, now):
                self._give_up(book)
            elif self._is_overdue(suspect, now):
                found.append(book)
                self._time_out(book)
        return found

    def _clear(self, book: HashedBook, evidence: Evidence) -> None:
        if evidence is Evidence.HASH_MATCH:
            self._counts.matched += 1
            if book.fine_price or book.inputs.tick_size not in self._texts.settled:
                self._learn(book)
        book.apply(evidence)
        self._by_token.pop(book.token, None)
        if not book.is_snapshot:
            self._patience.pop(book.token, None)

    def _learn(self, book: HashedBook) -> None:
        """Take what a reproduced hash shows of last trade prices; best prices prove themselves until that is known."""
        fine_price, book.fine_price = book.fine_price, ""
        if not self._texts.learn(book.inputs.tick_size, book.inputs.last_trade, fine_price):
            self.need_quotes = True
            check_quotes(book)

    def _search(self, suspect: Suspect, now: int) -> bool:
        """Search further for what the hash of a suspect covers; return whether that search is over."""
        book, search = suspect.book, suspect.search
        if search is None:
            cost = hash_budget.CHECK_COST + hash_budget.LEVEL_COST * book.level_count
            if now - suspect.searched_at < SEARCH_INTERVAL or not self._budget.tries or not self._budget.spend(cost):
                return False
            if book.verifiable and not suspect.is_searched:
                search, suspect.begun_at = HashSearch(book, self._texts), now
                suspect.last_change, suspect.tick_size = book.last_change, book.inputs.tick_size
        if search is not None:
            inputs = search.run(self._budget.tries)
            self._budget.spend_tries(search.tried)
            if inputs is not None:
                book.accept(inputs)
                suspect.since, suspect.failed = suspect.begun_at, 0
            elif not search.exhausted:
                suspect.search = search
                return False
            else:
                suspect.failed += 1
        suspect.search, suspect.searched_at = None, now
        return True

    def _is_overdue(self, suspect: Suspect, now: int) -> bool:
        searched = suspect.failed >= SEARCHES_MIN or suspect.is_searched or not suspect.book.verifiable
        return searched and now - suspect.since >= self._patience.get(suspect.book.token, PATIENCE)

    def _is_hopeless(self, suspect: Suspect, now: int) -> bool:
        """Return whether it is the recipe that fails: it never gave a hash of this book, or may lack a text."""
        book = suspect.book
        if not book.verifiable:
            return False
        if book.state is VerificationState.UNPROVEN_SUSPECT:
            return suspect.failed > 0
        # A book as it was sent cannot be wrong, so the recipe is.
        is_evidence = not book.is_snapshot and self._texts.is_evidence(tick_sizes_of(book), book.fine_price)
        return not is_evidence and self._is_overdue(suspect, now)

    def _time_out(self, book: HashedBook) -> None:
        """Report a suspect as wrong; the next time it gets twice as much time."""
        book.apply(Evidence.TIMED_OUT)
        self._patience[book.token] = min(2 * self._patience.get(book.token, PATIENCE), PATIENCE_MAX)
        del self._by_token[book.token]

    def _give_up(self, book: HashedBook) -> None:
        """Take it that the recipe does not give the hash of this book, or cannot as long as a text is unknown."""
        self._counts.unverifiable += 1
        self.need_quotes = True
        book.apply(Evidence.RECIPE_FAILED)
        self._by_token.pop(book.token, None)
