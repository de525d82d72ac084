"""Trading strategies, one small pure class per file, and their registry.

Separate from the engine so that an idea can be added, tested and removed without touching what executes it.
"""
