"""Messages are taken once, in order, many at a time; the producer is paused and released."""

import asyncio

import pytest

from predsurv.core.errors import BrokenInvariant
from predsurv.net.receive_buffer import ReceiveBuffer


class Producer:
    """A buffer, and whether it asked its producer to pause."""

    def __init__(self, frames_max: int = 3, bytes_max: int = 100) -> None:
        self.asked: list[str] = []
        self.buffer = ReceiveBuffer(
            frames_max=frames_max,
            bytes_max=bytes_max,
            pause=lambda: self.asked.append("pause"),
            resume=lambda: self.asked.append("resume"),
        )

    def put(self, *messages: bytes) -> None:
        self.buffer.messages.extend(messages)
        self.buffer.notify(sum(map(len, messages)))


async def test_all_arrived_messages_are_taken_at_once() -> None:
    producer = Producer()
    producer.put(b"a", b"b")
    producer.put(b"c")
    assert await producer.buffer.take_all() == [b"a", b"b", b"c"]


async def test_a_waiting_consumer_is_woken() -> None:
    producer = Producer()
    task = asyncio.create_task(producer.buffer.take_all())
    await asyncio.sleep(0)
    producer.buffer.notify(10)
    await asyncio.sleep(0)
    assert not task.done()
    producer.put(b"a")
    assert await task == [b"a"]


async def test_a_cancelled_consumer_loses_nothing() -> None:
    producer = Producer()
    task = asyncio.create_task(producer.buffer.take_one())
    await asyncio.sleep(0)
    producer.put(b"a")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await producer.buffer.take_one() == b"a"


async def test_too_many_messages_pause_until_they_are_taken() -> None:
    producer = Producer(frames_max=2)
    producer.put(b"a", b"b")
    assert producer.asked == []
    producer.put(b"c")
    producer.put(b"d")
    assert producer.asked == ["pause"]
    assert await producer.buffer.take_one() == b"a"
    assert producer.asked == ["pause"]
    await producer.buffer.take_all()
    assert producer.asked == ["pause", "resume"]
    assert producer.buffer.pauses == 1


async def test_too_many_bytes_pause_too() -> None:
    producer = Producer(bytes_max=10)
    producer.put(b"x" * 11)
    assert producer.asked == ["pause"]
    assert await producer.buffer.take_one() == b"x" * 11
    assert producer.asked == ["pause", "resume"]
    producer.put(b"x" * 9)
    assert producer.asked == ["pause", "resume"]


async def test_the_end_is_raised_after_the_last_message() -> None:
    producer = Producer()
    producer.put(b"a")
    producer.buffer.end()
    assert await producer.buffer.take_one() == b"a"
    with pytest.raises(EOFError):
        await producer.buffer.take_one()
    with pytest.raises(EOFError):
        await producer.buffer.take_all()


async def test_the_end_wakes_a_waiting_consumer() -> None:
    producer = Producer()
    task = asyncio.create_task(producer.buffer.take_all())
    await asyncio.sleep(0)
    producer.buffer.end()
    with pytest.raises(EOFError):
        await task


async def test_two_consumers_at_once_break_an_invariant() -> None:
    producer = Producer()
    task = asyncio.create_task(producer.buffer.take_all())
    await asyncio.sleep(0)
    with pytest.raises(BrokenInvariant, match="only one may"):
        await producer.buffer.take_one()
    task.cancel()
