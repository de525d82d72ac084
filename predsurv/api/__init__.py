"""What ``import predsurv`` offers: recorded data as polars frames, exact books and events, and backtests."""
