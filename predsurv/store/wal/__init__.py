"""The write-ahead log: segments, their codec, and quarantine of damaged ones."""
