"""Venues on this machine: servers that speak a real venue's wire protocol over the made-up exchange.

Kept apart from the adapters because it plays the other side: nothing that reads a venue may know
that it can be simulated.
"""
