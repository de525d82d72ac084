"""Whether our books are the venue's: after every burst ours must reproduce the hash that the venue states.

Kept apart, pure, because the channel has no sequence numbers: this is the only proof on the stream
itself that nothing was lost, and a proof has to be tested without one.

A mismatch is evidence, not a verdict. The hash covers the last trade price, which changes before
it is announced, and the recipe is not documented: so only a book whose hash was reproduced before
can be found wrong, only when it stays wrong, and less and less often when that keeps happening.
"""

from collections import OrderedDict, deque
from typing import Final, NamedTuple

from msgspec import Struct

from predsurv.core.events import GapReason
from predsurv.venues.polymarket import wire
from predsurv.venues.polymarket.book_hash import HashedBook, three_decimals

NOTED_MAX: Final = 1 << 13
"""Messages kept until they are checked, which happens after every read."""

_MS: Final = 1_000_000
_S: Final = 1_000 * _MS

DOUBT_MAX: Final = 2 * _S
"""A book that has not reproduced a hash for this long (ns) is wrong."""

PATIENCE_MAX: Final = 320 * _S
RECHECK_INTERVAL: Final = 200 * _MS
"""How long (ns) a doubtful book is left alone before every possible last trade price is tried on it."""

# What work costs, in ns on a slow machine; the budget is spent by these and not by a clock.
NOTE_COST: Final = 5_000
READ_COST: Final = 7_000
CHECK_COST: Final = 8_000
LEVEL_COST: Final = 250
SEARCH_COST: Final = 2_000_000
BUDGET_SHARE: Final = 8
"""One part in this many of all time may go into checks, over all connections of a feed."""
BUDGET_MAX: Final = 100 * _MS


class HashCheckCounts(Struct):
    """What the checks of one feed found, counted.

    ``matched`` hashes were reproduced, ``searched`` of them with a last trade price that nobody had
    announced yet. ``mismatched``: books that did not at the first attempt. ``unverifiable``: whole
    books whose own hash does not come out. ``postponed``: turns that left some for the next one. ``alarms``:
    books declared wrong. ``overloads``: times that all books were let go for want of time. ``probed``
    books were equal to what REST said, ``stale`` ones newer than that, ``differed`` ones neither;
    ``unanswered`` questions failed.
    """

    matched: int = 0
    searched: int = 0
    mismatched: int = 0
    unverifiable: int = 0
    postponed: int = 0
    alarms: int = 0
    overloads: int = 0
    probed: int = 0
    stale: int = 0
    differed: int = 0
    unanswered: int = 0


class HashBudget:
    """How much time checks may take, earned as time passes and shared by all connections of a feed."""

    def __init__(self) -> None:
        self._left = BUDGET_MAX
        self._at = 0

    def earn(self, now: int) -> None:
        """Let time (ns, monotonic) pass."""
        self._left = min(self._left + (now - self._at) // BUDGET_SHARE, BUDGET_MAX)
        self._at = now

    @property
    def ample(self) -> bool:
        """Whether there is time for more than the most urgent."""
        return self._left >= BUDGET_MAX // 2

    def spend(self, cost: int) -> bool:
        """Take ``cost`` ns when they are there; return whether they were."""
        if cost > self._left:
            return False
        self._left -= cost
        return True


class Mismatch(NamedTuple):
    """A token whose book is not the venue's; ``since`` (ns UTC) is when nothing spoke against it last."""

    token: str
    since: int
    reason: GapReason = "hash_mismatch"


class VenueBooks:
    """The books of one connection as the venue writes them.

    ``noted`` takes messages about tokens with a book, in order and as they are decoded; everything
    else happens later, outside of the path that every frame takes. ``dirty`` changed since they were
    checked. ``noting`` is False when there is more to do than time for it: then no book is followed
    until it is sent whole again. ``raw``: messages are noted as they came. ``suspects`` are to be taken for wrong.
    """

    def __init__(self, checks: HashCheckCounts) -> None:
        self.noted: list[wire.Noted] = []
        self.raw = False
        self._kibibytes = 0
        self.noting = True
        self.lines: dict[str, HashedBook] = {}
        self.dirty: deque[HashedBook] = deque()
        self.suspects: list[tuple[str, GapReason]] = []
        self._checks = checks

    def note(self, message: wire.Noted) -> None:
        """Keep ``message`` until it is taken in."""
        if self.noting:
            self.noted.append(message)
            if isinstance(message, bytes):
                self._kibibytes += len(message) >> 10
            self.limit()

    @property
    def cost(self) -> int:
        """What it costs (ns) to take in what was noted."""
        return (NOTE_COST + READ_COST * self.raw) * len(self.noted) + READ_COST * self._kibibytes

    def limit(self) -> None:
        """Let go of everything when more was noted than anybody will ever take in."""
        if len(self.noted) > NOTED_MAX:
            self.lose_sight()

    def lose_sight(self) -> None:
        """Let go of everything: there was no time to follow."""
        self._checks.overloads += 1
        self.noting = False
        for kept in (self.lines, self.noted, self.dirty):
            kept.clear()
        self._kibibytes = 0

    def absorb(self, *, quoted: bool) -> None:
        """Take in what was noted: one loop, as this is done for every frame there is. ``quoted``: with best prices."""
        lines, nothing = self.lines, wire.NOTHING
        for noted in self.noted:
            message = wire.read_noted(noted, quoted=quoted) if isinstance(noted, bytes) else noted
            if not isinstance(message, wire.PriceChange):
                self._take(message)
                continue
            for change in message.price_changes:
                line = lines.get(change.asset_id)
                if line is None:
                    continue
                side = line.bids if change.side == "BUY" else line.asks
                levels, price = side.levels, change.price
                if change.size in nothing:
                    levels.pop(price, None)
                else:
                    if price not in levels:
                        side.loose = True
                    levels[price] = change.size
                side.text = None
                line.stamp, line.stated = message.timestamp, change
                if line.calm:
                    self._stir(line)
        self.noted.clear()
        self._kibibytes = 0

    def _take(self, message: wire.WireBook | wire.LastTrade | wire.TickSizeChange) -> None:
        line = self.lines.get(message.asset_id)
        if isinstance(message, wire.WireBook):
            if line is None:
                line = self.lines[message.asset_id] = HashedBook(message.asset_id)
            line.replace(message)
            self._stir(line)
        elif line is None:
            return
        elif isinstance(message, wire.LastTrade):
            line.inputs = line.inputs._replace(last_trade=three_decimals(message.price))
            if line.doubted_at is not None:
                self._stir(line)
        elif message.new_tick_size != line.inputs.tick_size:
            line.old_tick = line.inputs.tick_size
            line.inputs = line.inputs._replace(tick_size=message.new_tick_size)
            if not line.verifiable:
                # Levels off the new grid may vanish without a word; only a hash would show it.
                self.suspects.append((line.token, "hash_mismatch"))

    def _stir(self, line: HashedBook) -> None:
        if line.trail is not None:
            line.trail.append(line.hash)
        if not line.dirty:
            line.dirty = True
            self.dirty.append(line)
        line.calm = line.trail is not None


class HashVerifier:
    """Judges the books of one connection. ``blind``: some hashes prove nothing, so that best prices are wanted.

    ``note`` takes what is decoded. ``vouched``: somebody knows that the silence until now missed
    nothing.
    """

    def __init__(self, budget: HashBudget | None = None, checks: HashCheckCounts | None = None) -> None:
        self._budget = budget or HashBudget()
        self._checks = checks or HashCheckCounts()
        self.books = VenueBooks(self._checks)
        self.lines = self.books.lines
        self.note = self.books.note
        self.blind = False
        self.vouched = False
        self._doubted: OrderedDict[str, HashedBook] = OrderedDict()
        self._patience: dict[str, int] = {}
        self._noted_at = 0

    def forget(self, token: str, *, for_good: bool) -> None:
        """Hold no book of ``token``; unless ``for_good`` it is about to be sent whole again."""
        self.lines.pop(token, None)
        self._doubted.pop(token, None)
        if for_good:
            self._patience.pop(token, None)

    def settle(self, ts: int, now: int) -> list[Mismatch]:
        """Take in what was noted, check, and return what is wrong beyond doubt.

        ``ts`` is wall time (ns UTC), ``now`` monotonic; everything received by then has been noted.
        """
        self._budget.earn(now)
        books = self.books
        if books.noted:
            self._noted_at = now
            self.vouched = False
        if self._budget.spend(books.cost):
            books.absorb(quoted=self.blind)
            books.noting = books.noting or self._budget.ample
        else:
            books.lose_sight()
            self._doubted.clear()
        if books.dirty:
            self._check(ts, now)
        wrong = self._decide(ts, now) if self._doubted else []
        if books.suspects:
            lines = self.lines
            wrong += [Mismatch(token, lines[token].sure_ts, why) for token, why in books.suspects if token in lines]
            books.suspects.clear()
        self._checks.alarms += len(wrong)
        return wrong

    def accuse(self, token: str, reason: GapReason) -> None:
        """Take it from somebody who knows better that the book of ``token`` is wrong."""
        self.books.suspects.append((token, reason))

    def silent_for(self, now: int) -> int:
        """Return for how long (ns) nothing was said about any book."""
        return now - self._noted_at

    def vouch(self, asked_at: int) -> None:
        """Take it that every book was right at ``asked_at`` (monotonic): silence until then missed nothing."""
        self.vouched = asked_at > self._noted_at

    def _check(self, ts: int, now: int) -> None:
        """Hash what changed, as far as the budget goes; what is left stays first in line."""
        dirty = self.books.dirty
        while dirty:
            line = dirty[0]
            if self.lines.get(line.token) is not line:
                dirty.popleft()
                continue
            if not self._budget.spend(CHECK_COST + LEVEL_COST * line.levels):
                self._checks.postponed += 1
                return
            dirty.popleft()
            line.dirty, line.calm = False, True
            self.blind = self.blind or not line.hash
            fits = line.fits()
            if fits is not False or line.whole:
                line.sure_ts = ts
            if fits:
                self._clear(line)
            elif fits is False and line.doubted_at is None:
                self._checks.mismatched += 1
                line.doubted_at = line.searched_at = now
                self._doubted[line.token] = line
                self._doubted.move_to_end(line.token)

    def _clear(self, line: HashedBook) -> None:
        self._checks.matched += line.verifiable
        line.doubted_at = None
        self._doubted.pop(line.token, None)
        if not line.whole:
            self._patience.pop(line.token, None)

    def _decide(self, ts: int, now: int) -> list[Mismatch]:
        """Look again at doubtful books; return those that stayed wrong for too long."""
        wrong = []
        while self._doubted:
            token, line = next(iter(self._doubted.items()))
            if line.doubted_at is None or self.lines.get(token) is not line:  # sent whole meanwhile
                del self._doubted[token]
                continue
            if now - line.searched_at < RECHECK_INTERVAL or not self._budget.spend(SEARCH_COST):
                break
            line.searched_at = now
            self._doubted.move_to_end(token)
            if line.fits_somehow():
                line.sure_ts = ts
                self._checks.searched += line.verifiable
                self._clear(line)
            elif line.verifiable and not line.proven:
                self._give_up(line)
            elif self._lasts(line, now):
                del self._doubted[token]
                wrong.append(Mismatch(token, line.sure_ts))
        return wrong

    def _lasts(self, line: HashedBook, now: int) -> bool:
        """Return whether the doubt is old enough and about something that can be wrong."""
        patience = self._patience.get(line.token, DOUBT_MAX)
        if line.doubted_at is None or now - line.doubted_at < patience:
            return False
        if line.whole:
            # A book as it was sent cannot be wrong: our recipe is.
            self._give_up(line)
            return False
        self._patience[line.token] = min(2 * patience, PATIENCE_MAX)
        return True

    def _give_up(self, line: HashedBook) -> None:
        self._checks.unverifiable += 1
        self.blind = True
        line.proven, line.hopeless, line.doubted_at = False, True, None
        self._doubted.pop(line.token, None)
