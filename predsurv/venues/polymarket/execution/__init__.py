"""Real orders on Polymarket: who we are (``login``), requests of one account (``session``), and what is asked of it."""
