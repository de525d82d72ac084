"""Independent random streams, each named by the seed and what it is for.

Kept apart so that nobody draws from anybody else's stream: an order sent to one market must not
change what happens in the others.
"""

import random
from hashlib import blake2b


def stream(seed: int, *names: str | int) -> random.Random:
    """Return the generator that belongs to ``names`` under ``seed``; equal arguments, equal draws."""
    text = "/".join(str(part) for part in (seed, *names))
    return random.Random(int.from_bytes(blake2b(text.encode(), digest_size=16).digest(), "big"))
