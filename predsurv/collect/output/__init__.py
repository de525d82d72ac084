"""Records to disk and beyond: commit, seal, compaction, retention, upload."""
