"""The Kalshi adapter: catalogue, sequenced streams, orders under signed requests.

Separate so that tickers, YES books and asks derived from NO bids stay words of this package alone.
"""
