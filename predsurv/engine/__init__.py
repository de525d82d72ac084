"""Decisions: what strategies wish, what risk lets through, what we own and what it is worth.

Kept apart from ``trade`` because nothing here waits, reads a clock or touches a file: the same
code decides live, on paper and in a backtest.
"""
