"""The Kalshi adapter: catalogue, sequenced and polled feeds, signed requests.

Separate so that tickers, NO bids and subscription ids stay words of this package alone.
"""
