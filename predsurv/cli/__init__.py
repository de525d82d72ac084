"""The command line: one module per command, one module for every table.

Separate so that jobs return values and never print, and so that a command loads only the libraries it needs.
"""
