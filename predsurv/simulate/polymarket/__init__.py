"""A local Polymarket: Gamma, CLOB and the market channel over the made-up exchange.

Kept apart from other simulated venues because nothing in here is true of any other venue.
"""
