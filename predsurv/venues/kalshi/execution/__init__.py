"""Real orders on Kalshi: requests of one account (``session``), its orders (``gateway``), and what is asked of it."""
