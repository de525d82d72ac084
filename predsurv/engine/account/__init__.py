"""What we own: orders, positions, order groups, cash and their valuation."""
