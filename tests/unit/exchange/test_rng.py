"""Streams are reproducible and do not follow one another."""

from predsurv.exchange.rng import stream


def test_same_name_same_draws() -> None:
    assert [stream(7, "a", 1).getrandbits(64) for _ in range(3)] == [stream(7, "a", 1).getrandbits(64)] * 3


def test_names_and_seeds_part_streams() -> None:
    streams = stream(7, "a", 1), stream(7, "a", 2), stream(7, "b", 1), stream(8, "a", 1), stream(7, "a1")
    assert len({drawn.getrandbits(64) for drawn in streams}) == len(streams)
