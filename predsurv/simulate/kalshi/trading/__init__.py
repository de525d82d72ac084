"""Orders on the simulated Kalshi: requests, the account, matching in the exchange's books, order groups, channels."""
