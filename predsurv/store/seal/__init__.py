"""Closed log segments to Parquet, compaction of closed hours, retention."""
