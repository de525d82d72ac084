"""Durable recording: write-ahead log, sealed Parquet, time-ordered reading, the universe file.

One place decides what a file on disk means and when it counts as written.
"""
