"""The job that runs the engine: paper, live or backtest, chosen by feed, broker and clock.

Separate because this is the only place where adapters and decisions are put together around real money.
"""
