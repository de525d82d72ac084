"""Verifies the books of one connection: ours must reproduce the hash that the venue states after every burst.

The channel has no sequence numbers, so this is the only proof on the stream itself that nothing was
lost. A mismatch is evidence, not proof: the hash covers the last trade price, which changes before
it is announced, and the recipe is not documented. So only a book whose hash was reproduced before
can be reported as wrong, only when it stays wrong, and less and less often when that is repeated.
"""

from collections import OrderedDict
from typing import Final, NamedTuple

from predsurv.core.events import GapReason
from predsurv.venues.polymarket import hash_budget
from predsurv.venues.polymarket.book_hash import HashedBook
from predsurv.venues.polymarket.hash_budget import HashBudget, HashCheckCounts
from predsurv.venues.polymarket.hash_states import SUSPECTS, Evidence, VerificationState
from predsurv.venues.polymarket.venue_books import VenueBooks

_MS: Final = 1_000_000
_S: Final = 1_000 * _MS

PATIENCE: Final = 2 * _S
"""A suspect that has not matched for this long (ns) is reported as wrong; doubled each time for the same token."""
PATIENCE_MAX: Final = 320 * _S
SEARCH_INTERVAL: Final = 200 * _MS
"""Time (ns) between two searches for the last trade price of a suspect."""


class Mismatch(NamedTuple):
    """A token whose book is not the venue's; ``since`` (ns UTC): when nothing contradicted it last."""

    token: str
    since: int
    reason: GapReason = "hash_mismatch"


class HashVerifier:
    """Keeps the venue's books of one connection and compares them with the stated hashes; see ``hash_states``.

    ``books``: those of ``venue_books`` by token; ``enqueue`` is its method. ``needs_quotes``: some
    hashes prove nothing, so best prices have to be decoded. ``silence_confirmed``: REST confirmed that
    nothing was missed since the last message.
    """

    def __init__(self, budget: HashBudget | None = None, counts: HashCheckCounts | None = None) -> None:
        self._budget = budget or HashBudget()
        self._counts = counts or HashCheckCounts()
        self.venue_books = VenueBooks(self._counts)
        self.books = self.venue_books.by_token
        self.enqueue = self.venue_books.enqueue
        self.needs_quotes = False
        self.silence_confirmed = False
        self._suspects: OrderedDict[str, HashedBook] = OrderedDict()
        self._patience: dict[str, int] = {}
        self._last_message_at = 0

    def forget(self, token: str, *, unsubscribed: bool) -> None:
        """Drop the book of ``token``. ``unsubscribed``: nothing more will come; else a snapshot is expected."""
        self.books.pop(token, None)
        self._suspects.pop(token, None)
        if unsubscribed:
            self._patience.pop(token, None)

    def verify(self, ts: int, now: int) -> list[Mismatch]:
        """Apply the pending messages, check what changed, and return what is wrong beyond doubt.

        ``ts`` is wall time (ns UTC), ``now`` monotonic; everything received by then has been queued.
        The caller forgets the tokens returned.
        """
        self._budget.earn(now)
        venue_books = self.venue_books
        if venue_books.pending:
            self._last_message_at = now
            self.silence_confirmed = False
        if self._budget.spend(venue_books.pending_cost):
            venue_books.apply_pending(quoted=self.needs_quotes)
            venue_books.following = venue_books.following or self._budget.ample
        else:
            venue_books.suspend()
            self._suspects.clear()
        if venue_books.changed:
            self._check_changed(ts, now)
        found = self._judge_suspects(ts, now) if self._suspects else []
        if venue_books.flagged:
            books, flagged = self.books, venue_books.flagged
            found += [Mismatch(token, books[token].verified_ts, reason) for token, reason in flagged if token in books]
            flagged.clear()
        self._counts.alarms += len(found)
        return found

    def flag(self, token: str, reason: GapReason) -> None:
        """Report the book of ``token`` as wrong at the next call of ``verify``, on evidence from REST."""
        self.venue_books.flagged.append((token, reason))

    def silent_for(self, now: int) -> int:
        """Return for how long (ns) there was no message about any book."""
        return now - self._last_message_at

    def confirm(self, requested_at: int) -> None:
        """Record that REST, asked at ``requested_at`` (monotonic), agreed about every book."""
        self.silence_confirmed = requested_at > self._last_message_at

    def _check_changed(self, ts: int, now: int) -> None:
        """Check the changed books as far as the budget goes; the others stay queued in order."""
        changed = self.venue_books.changed
        while changed:
            book = changed[0]
            if self.books.get(book.token) is not book:
                changed.popleft()
                continue
            if not self._budget.spend(hash_budget.CHECK_COST + hash_budget.LEVEL_COST * book.level_count):
                self._counts.postponed += 1
                return
            changed.popleft()
            book.queued, book.notify = False, True
            self.needs_quotes = self.needs_quotes or not book.hash
            evidence = book.check()
            if evidence is not Evidence.MISMATCH or book.is_snapshot:
                book.verified_ts = ts
            if evidence is Evidence.MISMATCH:
                self._suspect(book, now)
            elif evidence is not None:
                self._clear(book, evidence)

    def _suspect(self, book: HashedBook, now: int) -> None:
        if book.state in SUSPECTS:
            return
        book.apply(Evidence.MISMATCH)
        self._counts.mismatched += 1
        book.suspect_since = book.searched_at = now
        self._suspects[book.token] = book
        self._suspects.move_to_end(book.token)

    def _clear(self, book: HashedBook, evidence: Evidence) -> None:
        self._counts.matched += evidence is Evidence.HASH_MATCH
        book.apply(evidence)
        self._suspects.pop(book.token, None)
        if not book.is_snapshot:
            self._patience.pop(book.token, None)

    def _judge_suspects(self, ts: int, now: int) -> list[Mismatch]:
        """Search for what the hashes of suspects cover; return those that stayed wrong for too long."""
        found = []
        while self._suspects:
            token, book = next(iter(self._suspects.items()))
            if book.state not in SUSPECTS or self.books.get(token) is not book:  # a snapshot came meanwhile
                del self._suspects[token]
                continue
            if now - book.searched_at < SEARCH_INTERVAL or not self._budget.spend(hash_budget.SEARCH_COST):
                break
            book.searched_at = now
            self._suspects.move_to_end(token)
            evidence = book.search()
            if evidence in (Evidence.HASH_MATCH, Evidence.QUOTES_MATCH):
                book.verified_ts = ts
                self._counts.searched += evidence is Evidence.HASH_MATCH
                self._clear(book, evidence)
            elif book.verifiable and book.state is VerificationState.UNPROVEN_SUSPECT:
                self._give_up(book)
            elif now - book.suspect_since >= self._patience.get(token, PATIENCE):
                if book.is_snapshot:
                    self._give_up(book)  # a book as it was sent cannot be wrong: the recipe is
                else:
                    found.append(self._time_out(book))
        return found

    def _time_out(self, book: HashedBook) -> Mismatch:
        """Report a suspect as wrong; the next time it gets twice as much time."""
        book.apply(Evidence.TIMED_OUT)
        self._patience[book.token] = min(2 * self._patience.get(book.token, PATIENCE), PATIENCE_MAX)
        del self._suspects[book.token]
        return Mismatch(book.token, book.verified_ts)

    def _give_up(self, book: HashedBook) -> None:
        """Take it that the recipe does not give the hash of this book."""
        self._counts.unverifiable += 1
        self.needs_quotes = True
        book.apply(Evidence.RECIPE_FAILED)
        self._suspects.pop(book.token, None)
