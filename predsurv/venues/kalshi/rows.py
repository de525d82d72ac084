"""Readers of the rows of Kalshi's lists that survive a field they do not understand."""

from typing import Final

from predsurv.venues.kalshi.rest_wire import EventFeeChange, EventRow, FeeChange, MarketRow, SeriesRow
from predsurv.venues.kalshi.tolerant_reader import TolerantReader

read_market: Final = TolerantReader(MarketRow, "ticker").read
read_event: Final = TolerantReader(EventRow, "event_ticker").read
read_series: Final = TolerantReader(SeriesRow, "ticker").read
read_fee_change: Final = TolerantReader(FeeChange, "series_ticker", "scheduled_ts").read
read_event_fee_change: Final = TolerantReader(EventFeeChange, "event_ticker", "scheduled_ts").read
