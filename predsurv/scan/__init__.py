"""Scanning: list every market and write the day's universe file."""
