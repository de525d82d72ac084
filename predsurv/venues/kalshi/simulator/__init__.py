"""A server on this machine that speaks Kalshi's protocol over any venue, and can misbehave on purpose.

Separate from the adapter because neither may know the other: what both agree on is the wire.
"""
