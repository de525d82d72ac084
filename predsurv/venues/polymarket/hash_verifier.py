"""Verifies the books of one connection: ours must reproduce the hash that the venue states after every burst.

The channel has no sequence numbers, so this is the only proof on the stream itself that nothing was
lost. A mismatch is evidence, not proof: the hash covers the last trade price, which changes before
it is announced, and the recipe is not documented. So only a book whose hash was reproduced before
can be reported as wrong, only when it stays wrong, and less and less often when that is repeated;
and none with a tick size for which it is not known yet how last trade prices are written.
"""

from typing import NamedTuple

from predsurv.core.events import GapReason
from predsurv.venues.polymarket import hash_budget
from predsurv.venues.polymarket.hash_budget import HashBudget, HashCheckCounts
from predsurv.venues.polymarket.hash_states import Evidence
from predsurv.venues.polymarket.hash_suspects import HashSuspects
from predsurv.venues.polymarket.last_trade_texts import LastTradeTexts
from predsurv.venues.polymarket.venue_books import VenueBooks


class Mismatch(NamedTuple):
    """A token whose book is not the venue's; ``since`` (ns UTC): when nothing contradicted it last."""

    token: str
    since: int
    reason: GapReason = "hash_mismatch"


class HashVerifier:
    """Keeps the venue's books of one connection and compares them with the stated hashes; see ``hash_states``.

    ``books``: those of ``venue_books`` by token; ``enqueue`` is its method. ``suspects``: those of them that
    did not match. ``silence_confirmed``: REST confirmed that nothing was missed since the last message.
    """

    def __init__(
        self,
        budget: HashBudget | None = None,
        counts: HashCheckCounts | None = None,
        texts: LastTradeTexts | None = None,
    ) -> None:
        self._budget = budget or HashBudget()
        self._counts = counts or HashCheckCounts()
        texts = texts or LastTradeTexts()
        self.venue_books = VenueBooks(self._counts, texts)
        self.suspects = HashSuspects(self.venue_books.by_token, self._budget, self._counts, texts)
        self.books = self.venue_books.by_token
        self.enqueue = self.venue_books.enqueue
        self.silence_confirmed = False
        self._last_message_at = 0

    def forget(self, token: str, *, unsubscribed: bool) -> None:
        """Drop the book of ``token``. ``unsubscribed``: nothing more will come; else a snapshot is expected."""
        self.books.pop(token, None)
        self.suspects.forget(token, unsubscribed=unsubscribed)

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
            venue_books.apply_pending(quoted=self.suspects.need_quotes)
            venue_books.following = venue_books.following or self._budget.ample
        else:
            venue_books.suspend()
            self.suspects.clear()
        if venue_books.changed:
            self._check_changed(ts, now)
        found = [Mismatch(book.token, book.verified_ts) for book in self.suspects.judge(ts, now)]
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
            evidence = book.check()
            if evidence is not Evidence.MISMATCH or book.is_snapshot:
                book.verified_ts = ts
            self.suspects.take(book, evidence, now)
