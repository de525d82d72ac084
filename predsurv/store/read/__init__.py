"""Reading back: ordered replay of recorded rows, and verification of files."""
