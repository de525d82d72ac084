"""The command line: one module per command, one module for every table.

Jobs return values and never print; a command imports only the libraries it needs.
"""
