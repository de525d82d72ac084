"""State folded from events: ladders, books, the market cache, coverage, and features of books.

Below the engine because recording and research need the state without any decision being made on it.
"""
