"""Everything that trading needs, put together: desk, private API, and the messages of the private channels."""

from collections.abc import Callable, Sequence
from typing import Final

from predsurv.exchange.exchange import Exchange
from predsurv.simulate.kalshi.markets import ChannelMessage, KalshiMarkets, channel_message, contracts_text
from predsurv.simulate.kalshi.trading.account import KalshiAccount, KalshiFill
from predsurv.simulate.kalshi.trading.account_rows import Json, fill_message, order_message, position_message
from predsurv.simulate.kalshi.trading.groups import KalshiOrderGroup
from predsurv.simulate.kalshi.trading.order_changes import resume, suspend
from predsurv.simulate.kalshi.trading.order_desk import KalshiDesk
from predsurv.simulate.kalshi.trading.orders import KalshiOrder
from predsurv.simulate.kalshi.trading.trading_api import KalshiTradingApi

STARTING_DOLLARS: Final = 10_000_000_000
"""What the account starts with (micros)."""
FILLS: Final = "fill"
ORDERS: Final = "user_orders"
POSITIONS: Final = "market_positions"
GROUPS: Final = "order_group_updates"
_MS: Final = 1_000_000

Publish = Callable[[list[ChannelMessage]], None]


class KalshiTradingService:
    """Trades in the books of ``exchange``; ``publish`` sends messages to who subscribed to them."""

    def __init__(
        self, exchange: Exchange, markets: KalshiMarkets, is_active: Callable[[str], bool], publish: Publish
    ) -> None:
        self.account = KalshiAccount(STARTING_DOLLARS)
        self.desk = KalshiDesk(exchange, markets, self.account)
        self.api = KalshiTradingApi(self.desk, markets, is_active)
        self._markets = markets
        self._publish = publish
        self.desk.on_order = self._order_changed
        self.desk.on_fill = self._filled
        self.desk.on_group = self._group_changed

    def pause(self) -> None:
        """Take the orders out of the books while nothing trades."""
        suspend(self.desk)

    def resume(self) -> None:
        """Put them back."""
        resume(self.desk)

    def heard(self, messages: Sequence[ChannelMessage]) -> None:
        """Pay out what settles among public messages."""
        for message in messages:
            if message.body.get("event_type") == "settled":
                ticker = message.body["market_ticker"]
                listing = self._markets.listed[ticker]
                now = self.desk.exchange.now
                self.account.settle(ticker, listing.event, listing.result, listing.payout or 0, now)

    def _order_changed(self, order: KalshiOrder) -> None:
        self._send(ORDERS, order.request.ticker, "user_order", order_message(order))

    def _filled(self, fill: KalshiFill) -> None:
        ticker = fill.order.request.ticker
        self._send(FILLS, ticker, "fill", fill_message(fill))
        self._send(POSITIONS, ticker, "market_position", position_message(ticker, self.account.positions[ticker]))

    def _group_changed(self, group: KalshiOrderGroup, event: str) -> None:
        body: Json = {
            "event_type": event,
            "order_group_id": group.group_id,
            "contracts_limit_fp": contracts_text(group.limit),
            "ts_ms": self.desk.exchange.now // _MS,
        }
        self._send(GROUPS, None, "order_group_updates", body)

    def _send(self, channel: str, ticker: str | None, kind: str, body: Json) -> None:
        self._publish([channel_message(channel, ticker, kind, body)])
