"""Speed and size, as ratios against a named peer or limit measured in the same run.

Kept apart from tests: a machine that is busy makes a benchmark slow, never wrong.
"""
