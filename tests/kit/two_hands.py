"""A clock whose wall time and monotonic time a test moves apart."""


class TwoHands:
    """``wall`` (ns UTC) and ``elapsed`` (ns) go on together, but for the steps of ``run``."""

    def __init__(self, wall: int) -> None:
        self.wall, self.elapsed = wall, 0

    def now(self) -> int:
        return self.wall

    def monotonic(self) -> int:
        return self.elapsed

    async def sleep(self, duration: int) -> None:
        self.run(duration)

    def run(self, duration: int, *, step: int = 0) -> None:
        self.elapsed += duration
        self.wall += duration + step
