"""The Kalshi adapter: catalogue, sequenced and polled feeds, signed requests, and a simulator of the venue.

Separate so that tickers, NO bids and subscription ids stay words of this package alone.
"""
