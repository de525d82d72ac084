"""The fill model of paper trading and backtests: admission, taking, queue position, fills."""
