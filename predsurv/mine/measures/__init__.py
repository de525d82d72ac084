"""What is measured of recorded rows: pure polars functions, LazyFrame in, LazyFrame out.

All that they return per hour and instrument is additive (or a minimum, a first, …): ``totals.combined`` adds hours up
to days and days to ranges. An hour of UTC is measured by itself: the row that holds at its end begins the next hour as
a row at its first nanosecond, and a pair of moments on both sides of the edge is no pair. What is published is
defined in docs/metrics.md.

``code`` is the number of an instrument among those of the day, ``visit`` of a stretch of covered time. ``at``,
``since``, ``until`` and ``end`` are *instants*: int64 that order first by instrument, then by time
(``moments.instant``). ``seconds`` and everything ``_s`` are float seconds; prices dollars; sizes shares.
"""
