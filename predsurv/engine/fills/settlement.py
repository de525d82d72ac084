"""What becomes of simulated fills after they were matched: confirmed, or failed; and what the venue pays back for them.

Polymarket matches off the chain and settles on it: a matched trade counts when it is CONFIRMED, and until then it can
become FAILED (docs.polymarket.com, trade statuses of the user channel). Which fills fail is a function of a seed and
the trade's id, so that runs can be repeated; how many, is configured by class of market: reverted trades are known
(arXiv 2606.16852 counts 980,133), and no public source states a rate.
"""

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from predsurv.core.errors import BrokenInvariant
from predsurv.core.events import Fill, FillConfirmed, FillFailed, RebatePaid
from predsurv.core.fees import maker_rebate
from predsurv.core.ids import StrategyName, TradeId, VenueName
from predsurv.core.market import NO_FEE, Market, settles_later
from predsurv.core.num import MICROS, ZERO_MONEY
from predsurv.engine.account.portfolio import Portfolio
from predsurv.engine.account.rebates import RebateAccruals
from predsurv.engine.account.unconfirmed import Owner
from predsurv.engine.account.valuation import DAY
from predsurv.engine.fills.settled_ledger import SettledLedger
from predsurv.state.market_cache import MarketCache

OTHER_CLASSES: Final = "other"
"""The class of every market whose category has no rate of its own."""

_NEVER: Final = 1 << 63
_DIGEST_BYTES: Final = 8
REVERTED: Final = "reverted"
UNCOVERED: Final = "needs what failed"

Outcome = FillConfirmed | FillFailed | RebatePaid


class SettlementTerms(Struct, frozen=True, kw_only=True):
    """How simulated fills are settled: ``delay`` ns after they were matched.

    ``failure_rates``: probabilities (micros) that a matched trade fails, by class of market: its category in lower
    case, other signs than letters and digits as "-", or ``other``. ``seed`` draws which. ``rebates``: whether makers
    are paid what the venue's rules promise.
    """

    delay: int = 0
    failure_rates: Mapping[str, int] = field(default_factory=dict)
    seed: int = 0
    rebates: bool = False

    def rate_of(self, market: Market | None) -> int:
        """Return the probability (micros) that a matched trade of a market fails."""
        category = "" if market is None else market.category or ""
        name = "".join(each if each.isalnum() or each == "_" else "-" for each in category.lower())
        return self.failure_rates.get(name, self.failure_rates.get(OTHER_CLASSES, 0))

    def confirms(self, venue: VenueName) -> bool:
        """Return whether fills of a venue are matched first, and settled later."""
        return settles_later(venue) and any(self.failure_rates.values())


def is_drawn(seed: int, trade_id: TradeId, rate: int) -> bool:
    """Return whether a trade is among those of which ``rate`` (micros) in a million fail; the same for ever."""
    digest = blake2b(f"{seed}:{trade_id}".encode(), digest_size=_DIGEST_BYTES).digest()
    return int.from_bytes(digest, "big") * MICROS < rate << (8 * _DIGEST_BYTES)


class _Matched(Struct, frozen=True):
    """A fill that is settled at ``at`` (ns UTC)."""

    at: int
    strategy: StrategyName
    fill: Fill
    fails: bool


class TradeSettlement:
    """Settles the fills of one venue in the order in which they were matched, each after the same delay.

    ``portfolio`` is the venue's account of us, which its outcomes change. Where a fill fails, so do with it those
    matched after it that shares and money do not cover without it, each by what was settled before it, as on a chain:
    what was bought later does not cover a sale, as that purchase may still fail when the sale is final. All of those
    are still open. What an earlier run left open in ``portfolio`` is gone on with, as is what it had ``accrued`` in
    rebates. ``next_at``: when the next outcome is due (ns UTC).
    """

    def __init__(
        self,
        venue: VenueName,
        terms: SettlementTerms,
        *,
        cache: MarketCache,
        portfolio: Portfolio,
        accrued: RebateAccruals,
    ) -> None:
        self._venue, self._terms, self._cache, self._portfolio = venue, terms, cache, portfolio
        self._accruals = accrued.of(venue)
        self._open: dict[TradeId, _Matched] = {}
        left = [(who, fill) for who, fill in portfolio.unconfirmed.all() if fill.key.venue == venue]
        for strategy, fill in sorted(left, key=lambda each: each[1].ts_recv):
            self._await(strategy, fill)
        self.next_at = self._following()

    def _following(self) -> int:
        first = next(iter(self._open.values()), None)
        day = self._accruals.first_day
        paid = _NEVER if day is None else day + DAY + self._terms.delay
        return paid if first is None else min(first.at, paid)

    def match(self, strategy: StrategyName, fill: Fill) -> Fill:
        """Book a fill at the venue and return it as it is told."""
        rebate = ZERO_MONEY
        if self._terms.rebates and fill.maker:
            market = self._cache.market(fill.key.venue, fill.key.market_id)
            rebate = maker_rebate(NO_FEE if market is None else market.fee, fill.price, fill.size)
        told = replace(fill, unconfirmed=self._terms.confirms(self._venue), rebate=rebate)
        self._portfolio.fill(strategy, told)
        self._accruals.on_fill(strategy, told)
        if told.unconfirmed:
            self._await(strategy, told)
        self.next_at = self._following()
        return told

    def due(self, ts: int) -> Iterator[Outcome]:
        """Yield what is settled up to ``ts`` (ns UTC), each at its time."""
        while (at := self.next_at) <= ts:
            first = next(iter(self._open.values()), None)
            if first is not None and first.at == at:
                yield from self._settle(first, at)
            else:
                yield from self._pay(at - self._terms.delay, at)

    def close(self, ts: int) -> Iterator[Outcome]:
        """Yield at ``ts`` (ns UTC) everything that is still to come, and what the day has earned so far."""
        while self._open:
            yield from self._settle(next(iter(self._open.values())), ts)
        yield from self._pay(_NEVER, ts)

    def _await(self, strategy: StrategyName, fill: Fill) -> None:
        market = self._cache.market(fill.key.venue, fill.key.market_id)
        fails = is_drawn(self._terms.seed, fill.trade_id, self._terms.rate_of(market))
        self._open[fill.trade_id] = _Matched(fill.ts_recv + self._terms.delay, strategy, fill, fails)

    def _settle(self, matched: _Matched, ts: int) -> Iterator[Outcome]:
        if not matched.fails:
            yield self._confirm(matched, ts)
            return
        failing = [matched, *self._impossible_without(matched)]
        for each in sorted(failing, key=lambda one: one.fill.side == "buy"):  # shares come back before they go
            yield self._take_back(each, ts, REVERTED if each is matched else UNCOVERED)

    def _impossible_without(self, failed: _Matched) -> Iterator[_Matched]:
        """Yield the open fills that shares and money do not cover where all are settled in order but for ``failed``."""
        ledger = SettledLedger(self._portfolio, self._venue)
        for each in self._open.values():
            if each is not failed and not ledger.settle(Owner(each.strategy, each.fill.key), each.fill):
                yield each

    def _confirm(self, matched: _Matched, ts: int) -> FillConfirmed:
        fill = matched.fill
        del self._open[fill.trade_id]
        self.next_at = self._following()
        self._portfolio.unconfirmed.confirm(fill.key, fill.trade_id)
        return FillConfirmed(fill.key, ts, fill.client_order_id, fill.trade_id)

    def _take_back(self, matched: _Matched, ts: int, reason: str) -> Outcome:
        fill = matched.fill
        try:
            self._portfolio.fail(fill.key, fill.trade_id)
        except BrokenInvariant:  # an earlier version, or a bound, let something be final that needs it
            return self._confirm(matched, ts)
        del self._open[fill.trade_id]
        self._accruals.on_failure(matched.strategy, fill)
        self.next_at = self._following()
        return FillFailed(fill.key, ts, fill.client_order_id, fill.trade_id, reason)

    def _pay(self, until: int, ts: int) -> Iterator[Outcome]:
        for paid in self._accruals.due(until, ts):
            self.next_at = self._following()
            self._portfolio.credit(paid)
            yield paid
