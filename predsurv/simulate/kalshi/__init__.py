"""Kalshi's protocol over any venue, faults included.

Separate from the adapter because neither may know the other: what both agree on is the wire.
"""
