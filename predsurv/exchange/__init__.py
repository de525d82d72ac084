"""A deterministic exchange in miniature: markets, makers, books, orders, accounts and a tape; no I/O, core only."""
