"""Trading runs: paper and backtest, put together from feed, broker and clock around one engine."""
