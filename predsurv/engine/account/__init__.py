"""The account: orders, positions and cash, order groups, and what they are worth."""
