"""Arbitrage episodes: when a set of a group of claims paid more than it cost, for how long, and how much of it."""
