"""What the world looks like after the events so far: ladders, books, the market cache and features of them.

Separate from the engine because recording and research need the state without wanting any decision made on it.
"""
