"""Completion of a command line by the shell: imports nothing that takes longer than a keystroke."""
