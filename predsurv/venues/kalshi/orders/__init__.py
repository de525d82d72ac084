"""Orders for Kalshi: requests of its V2 order interface, order groups, and what the venue's answers mean. Pure.

Requests are signed by ``predsurv.venues.kalshi.auth``.
"""
