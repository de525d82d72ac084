"""A sample is small whatever arrives, and holds the latest frames."""

from predsurv.venues.streaming.frame_samples import BYTES_MAX, FRAME_BYTES_MAX, FRAMES_MAX, INTERVAL, FrameSamples

S = INTERVAL


def test_the_last_readable_frame_of_a_read_is_kept_and_the_next_is_due_a_second_later() -> None:
    samples = FrameSamples()
    samples.take([b'{"a":1}', b'[{"b":2}]', b"PONG"], 5 * S)
    assert samples.due == 6 * S
    assert samples.take_out() == [b'[{"b":2}]']
    assert samples.take_out() == []


def test_a_read_without_such_a_frame_leaves_the_next_one_due() -> None:
    samples = FrameSamples()
    samples.take([b"PONG", b"{" + b" " * FRAME_BYTES_MAX], 5 * S)
    assert (samples.due, samples.take_out()) == (0, [])


def test_the_latest_are_kept_within_their_bounds() -> None:
    samples = FrameSamples()
    for number in range(FRAMES_MAX + 5):
        samples.take([b'{"n":%d}' % number], number * S)
    kept = samples.take_out()
    assert (len(kept), kept[-1]) == (FRAMES_MAX, b'{"n":%d}' % (FRAMES_MAX + 4))
    large = b"{" + b" " * (FRAME_BYTES_MAX - 2) + b"}"
    for number in range(2 * BYTES_MAX // FRAME_BYTES_MAX):
        samples.take([large], number * S)
    assert sum(map(len, samples.take_out())) == BYTES_MAX
