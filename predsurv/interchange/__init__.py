"""Recordings of others in, and ours out: foreign files are recorded by our rules."""
