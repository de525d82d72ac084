"""Clients of others, unmodified, against our simulated venues: ``make sdks``. Outside of the test suite."""
