"""Markets with their outcomes, price grids and fee schedules."""

from decimal import Decimal
from typing import Final, Literal

from msgspec import Struct

from predsurv.core.ids import EventId, InstrumentId, InstrumentKey, MarketId, OrderSide, VenueName
from predsurv.core.num import Money, Price, Size, notional

MarketStatus = Literal["created", "active", "paused", "closed", "resolved", "void", "disputed"]

FeeModel = Literal["none", "polymarket", "kalshi"]


class FeeSchedule(Struct, frozen=True, omit_defaults=True):
    """The fees of takers and makers in a market, as of a date.

    Models: ``polymarket``: size · rate · (p(1−p))^exponent, taker only; ``kalshi``: size · rate · p(1−p), makers
    at ``maker_rate``.
    Units: rates in millionths (0.07 is 70_000), ``since`` ns UTC or None when unknown. ``exponent`` is positive;
    a Decimal only where it is no whole number. ``rebate_rate``: the share of takers' fees that the venue pays to
    makers, 0 where it pays none or nobody stated it.
    """

    model: FeeModel = "none"
    rate: int = 0
    exponent: int | Decimal = 1
    maker_rate: int = 0
    since: int | None = None
    rebate_rate: int = 0


NO_FEE = FeeSchedule()

BINARY: Final = "binary"
"""``Market.market_type`` of a market whose outcomes each pay a dollar or nothing."""

_TIMETABLED: Final = frozenset({VenueName("kalshi")})  # of the others markets trade on after their close time
# docs.polymarket.com/concepts/markets-events: outstanding limit orders of sports markets are cancelled at game start
_CLEARED_AT_START: Final = frozenset({VenueName("polymarket")})
_SETTLES_LATER: Final = frozenset({VenueName("polymarket")})  # on a chain, where a matched trade may be reverted
_SPENDS_ON_TAKING: Final = frozenset({VenueName("polymarket")})  # py-clob-client-v2 issue 89
_NETS_OUTCOMES: Final = frozenset({VenueName("kalshi")})  # YES and NO of a market are one signed position
_CLEARED_ON_REOPENING: Final = frozenset({VenueName("kalshi")})  # inactive to active cancels resting orders


class PriceBand(Struct, frozen=True, array_like=True):
    """Valid prices from ``start`` to ``end`` (inclusive) in steps of ``step``, all micros."""

    start: Price
    end: Price
    step: Price


class Outcome(Struct, frozen=True):
    """One tradable outcome of a market; pays between 0 and 1 dollar a share."""

    instrument_id: InstrumentId
    label: str


class Market(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One question on one venue with its tradable outcomes.

    Money and sizes in micros, times in ns UTC. ``mutually_exclusive``: at most one market of the
    event pays; ``exhaustive``: at least one does (so both together mean exactly one).
    ``min_order_size``: see ``size_allowed``.
    ``min_taker_buy``: the smallest value (micros) of a buy that trades on arrival, 0 for no minimum;
    ``taker_delay``: how long (ns) the venue delays an order that would trade on arrival.
    ``reward_min_size`` and ``reward_max_spread``: the least size of a quote and its greatest distance from the mid for
    which the venue pays rewards, None where it said nothing of any.
    ``market_type``: ``binary``, or how it pays otherwise in the venue's words; others are recorded and not traded.
    ``assumed``: the fields that nobody stated; each holds what is safe to assume and gives way to any statement.
    ``event_title``: what the venue calls the event, None where it did not say.
    ``version``: of the contracts that it trades on, in the venue's words; "" where nobody stated it.
    ``shard``: the part of the exchange where its orders and their collateral are, None where nobody stated it.
    ``last_seen``: when the venue's list had it last (ns UTC), None while it still has it.
    """

    venue: VenueName
    market_id: MarketId
    event_id: EventId
    question: str
    outcomes: tuple[Outcome, ...]
    status: MarketStatus
    tick_size: Price
    min_order_size: Size
    fetched_at: int
    series_id: str | None = None
    description: str | None = None
    category: str | None = None
    tags: tuple[str, ...] = ()
    neg_risk: bool = False
    mutually_exclusive: bool = False
    exhaustive: bool = False
    fee: FeeSchedule = NO_FEE
    bands: tuple[PriceBand, ...] = ()
    min_taker_buy: Money = Money(0)
    taker_delay: int = 0
    volume: Money | None = None
    volume_24h: Money | None = None
    liquidity: Money | None = None
    open_interest: Money | None = None
    close_time: int | None = None
    url: str | None = None
    rules_hash: str | None = None
    tradable: bool = False
    market_type: str = BINARY
    game_start: int | None = None
    reward_min_size: Size | None = None
    reward_max_spread: Price | None = None
    assumed: tuple[str, ...] = ()
    last_seen: int | None = None
    event_title: str | None = None
    version: str = ""
    shard: int | None = None

    @property
    def trading_ends(self) -> int | None:
        """When trading ends by the venue's timetable (ns UTC), which no message announces; None where nothing does."""
        return self.close_time if self.venue in _TIMETABLED else None

    @property
    def orders_cleared_at(self) -> int | None:
        """When the venue cancels whatever rests and trades on (ns UTC): a game's start; None where it does not."""
        return self.game_start if self.venue in _CLEARED_AT_START else None

    @property
    def reopening_clears(self) -> bool:
        """Whether the venue cancels whatever rests when the market trades again after a pause."""
        return self.venue in _CLEARED_ON_REOPENING

    def open_at(self, ts: int) -> bool:
        """Return whether the market trades at ``ts`` (ns UTC), as far as its status and timetable say."""
        ends = self.trading_ends
        return self.status == "active" and (ends is None or ts < ends)

    def key(self, index: int) -> InstrumentKey:
        """Return the key of outcome number ``index``; raises IndexError when there is none."""
        return InstrumentKey(self.venue, self.market_id, self.outcomes[index].instrument_id)

    def keys(self) -> tuple[InstrumentKey, ...]:
        """Return the keys of all outcomes, in the venue's order."""
        return tuple(self.key(index) for index in range(len(self.outcomes)))

    def primary_keys(self, *, mirrored: bool) -> tuple[InstrumentKey, ...]:
        """Return the instruments whose books together hold all orders of the market.

        ``mirrored``: the venue keeps one book per binary market, in which a bid for one outcome at p
        is an offer of the other at 1 − p, so the first outcome's book is complete. A market of any
        other number of outcomes has one book per outcome, as have all markets where it is False.
        """
        keys = self.keys()
        return keys[:1] if mirrored and len(keys) == 2 else keys

    def mirror_of(self, key: InstrumentKey) -> InstrumentKey | None:
        """Return the other outcome of a binary market, None where there is no other, or more than one.

        On a venue that keeps one book per binary market its book mirrors that of ``key``.
        """
        others = [each for each in self.keys() if each != key]
        return others[0] if len(self.outcomes) == 2 and len(others) == 1 else None

    def primary_of(self, key: InstrumentKey, *, mirrored: bool) -> InstrumentKey:
        """Return the instrument among ``primary_keys`` in whose book ``key``, one of this market's, trades."""
        return self.key(0) if mirrored and len(self.outcomes) == 2 else key


def settles_later(venue: VenueName) -> bool:
    """Return whether a trade of a venue is only matched at first, and confirmed or failed later."""
    return venue in _SETTLES_LATER


def spends_on_taking(venue: VenueName) -> bool:
    """Return whether a buy that only takes spends what it is worth at its limit, so that it may bring more shares."""
    return venue in _SPENDS_ON_TAKING


def nets_outcomes(venue: VenueName) -> bool:
    """Return whether a venue takes shares of one outcome for the sale of the other where that is held."""
    return venue in _NETS_OUTCOMES


def on_grid(market: Market, price: Price) -> bool:
    """Return whether the venue accepts orders at ``price`` in this market."""
    if not 0 < price < 1_000_000:
        return False
    if not market.bands:
        return price % market.tick_size == 0
    return any(band.start <= price <= band.end and (price - band.start) % band.step == 0 for band in market.bands)


def next_on_grid(market: Market, price: Price) -> Price | None:
    """Return the lowest price above ``price`` that the venue accepts, None when there is none."""
    bands = market.bands or (PriceBand(Price(0), Price(1_000_000), market.tick_size),)
    above = (_next_in(band, max(price, Price(0))) for band in bands)
    return min((each for each in above if each is not None and 0 < each < 1_000_000), default=None)


def _next_in(band: PriceBand, price: Price) -> Price | None:
    steps = max((price - band.start) // band.step + 1, 0)
    above = Price(band.start + steps * band.step)
    return above if above <= band.end else None


def previous_on_grid(market: Market, price: Price) -> Price | None:
    """Return the highest price below ``price`` that the venue accepts, None when there is none."""
    bands = market.bands or (PriceBand(Price(0), Price(1_000_000), market.tick_size),)
    below = (_previous_in(band, min(price, Price(1_000_000))) for band in bands)
    return max((each for each in below if each is not None and 0 < each < 1_000_000), default=None)


def _previous_in(band: PriceBand, price: Price) -> Price | None:
    last = (band.end - band.start) // band.step
    steps = min((price - band.start - 1) // band.step, last)
    return Price(band.start + steps * band.step) if steps >= 0 else None


def size_allowed(market: Market, price: Price, size: Size, *, side: OrderSide, rests: bool) -> bool:
    """Return whether the venue takes an order of this size; ``rests``: it may rest, others only take.

    Where orders that trade on arrival have a smallest worth (``min_taker_buy``), ``min_order_size`` holds for those
    that may rest only, whether or not they happen to trade on arrival: the order's type decides. Of orders that only
    take, a buy has to be worth enough (``buys_enough``); which of the two holds for sales is reported either way, so a
    sale passes by size or by worth. Source: users' reports of March to May 2026, no document of a venue.
    """
    if size >= max(market.min_order_size, 1):
        return True
    if rests or size < 1 or not market.min_taker_buy:
        return False
    return side == "buy" or buys_enough(market, price, size)


def buys_enough(market: Market, price: Price, size: Size) -> bool:
    """Return whether an order of ``size`` at ``price`` is worth enough to trade on arrival."""
    return notional(price, size) >= market.min_taker_buy
