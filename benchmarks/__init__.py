"""Speed and size, as ratios against a named peer or limit measured in the same run.

A busy machine makes a benchmark slow, never wrong. ``python -m benchmarks`` runs the comparison; the other modules with
a command line run alone: ``collect``, ``hash_checks``, ``kalshi``, ``scan``, ``simulator``.
"""
