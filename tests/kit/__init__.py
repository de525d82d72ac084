"""Local servers that stand in for a venue; only tests start them."""
