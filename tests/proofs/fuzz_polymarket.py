"""Mutated frames and REST bodies against every reader of the adapter: no crash, nothing slow.

``python -m tests.proofs.fuzz_polymarket [COUNT]``: COUNT inputs in all, spread over the targets, made
of our own payloads and, where they are present, of the recorded ones. Exits 1 when anything
but the documented errors escapes or an input takes longer than it may.
"""

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from random import Random

from predsurv.core.errors import WireError
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.level_changes import each_event
from predsurv.venues.polymarket import fast_decoder as changes
from predsurv.venues.polymarket import rest
from predsurv.venues.polymarket.decoder import PolymarketCodec
from predsurv.venues.polymarket.gamma_page import read_listing
from predsurv.venues.polymarket.gamma_row import read_row
from predsurv.venues.polymarket.market_parser import parse_market
from predsurv.venues.polymarket.rest_comparison import read_summaries
from predsurv.venues.polymarket.shared_state import PolymarketSharedState
from tests.kit.payloads import OWN, available

COUNT = 1_000_000
INPUT_MS_MAX = 50
CODEC_FRAMES = 5_000
JUNK = (
    b"NaN", b"1e400", b"1e9999999", b"-0", b"-1", b"null", b"true", b'""', b"[]", b"{}", b'"\\ud800"', b"\x00", b"\xff",
    b'"0.5\\n"', b"0.0000000001", b"9" * 400, b'"' + b"9" * 400 + b'"', b"[" * 2_000, b'{"a":' * 200, b",", b'"', b"\\",
)  # fmt: skip

Target = tuple[Callable[[bytes], object], Sequence[bytes], tuple[type[Exception], ...]]


def main(count: int) -> int:
    """Fuzz every target, print what was slowest, return 1 when something broke its promise."""
    failed = 0
    for name, (run, seeds, allowed) in targets().items():
        worst, broke = fuzz(run, seeds, allowed, count // len(targets()))
        print(f"{name}: {count // len(targets()):,} inputs, slowest {worst:.1f} ms, escaped: {broke or 'nothing'}")
        failed |= bool(broke) or worst > INPUT_MS_MAX
    return int(failed)


def targets() -> dict[str, Target]:
    """Return each reader with inputs that it understands and the errors that it may raise."""
    frames, bodies, rows = _seeds("ws_"), _seeds("clob_book"), _seeds("gamma_market")
    return {
        "frames": (Codec(), frames, ()),
        **({"twins": (Twins(), frames, ())} if changes.COMPILED else {}),
        "listing pages": (
            read_listing,
            [b'{"markets":[%s],"next_cursor":"x"}' % row for row in rows],
            (ValueError, RecursionError),
        ),
        "listing rows": (lambda body: parse_market(read_row(body), 0), rows, (ValueError, WireError, RecursionError)),
        "books": (read_summaries, [b"[%s]" % body for body in bodies], (ValueError, RecursionError)),
        "terms": (rest.read_terms, _seeds("clob_markets"), (ValueError, RecursionError)),
        "markets": (rest.read_market, _seeds("clob_market"), (ValueError, RecursionError)),
    }


class Codec:
    """A codec that wants what the frames name, made anew now and then as connections are."""

    def __init__(self, readers: changes.ChangeReaders | None = None, *, packed: bool = False) -> None:
        self.memory = PolymarketSharedState()
        self.memory.packed = packed
        self.readers = readers
        self.frames = 0
        self.codec = self._made()

    def __call__(self, frame: bytes) -> tuple[bool, Sequence[object], AbstractSet[InstrumentKey]]:
        self.frames += 1
        if self.frames % CODEC_FRAMES == 0:
            self.codec = self._made()
        out: list[object] = []
        said = self.codec.decode([frame], 0, out)  # type: ignore[arg-type]
        self.codec.audit(0, self.frames * 1_000_000, out)  # type: ignore[arg-type]
        lost = self.codec.take_lost()
        if lost:
            self.codec.requests(lost, lost)
        return said, each_event(out), lost  # type: ignore[arg-type]

    def _made(self) -> PolymarketCodec:
        codec = PolymarketCodec(1, self.memory, readers=self.readers)
        tokens = {token for frame in _seeds("ws_") for token in _tokens(json.loads(frame))}
        venue, market = VenueName("polymarket"), MarketId("0x1")
        codec.requests({InstrumentKey(venue, market, InstrumentId(token)) for token in tokens}, frozenset())
        return codec


class Twins:
    """The readers in Python and their compiled twins beside each other: whatever comes, they must say the same.

    The twins once as they are and once with changes put together.
    """

    def __init__(self) -> None:
        self.python, self.compiled = Codec(changes.PYTHON), Codec(changes.COMPILED)
        self.packed = Codec(changes.COMPILED, packed=True)

    def __call__(self, frame: bytes) -> None:
        expected = self.python(frame)
        assert expected == self.compiled(frame), "the compiled twin says something else"
        assert expected == self.packed(frame), "the changes put together say something else"


def fuzz(
    run: Callable[[bytes], object], seeds: Sequence[bytes], allowed: tuple[type[Exception], ...], count: int
) -> tuple[float, str]:
    """Return the slowest input in ms and the first error that was not allowed."""
    rng, worst = Random(7), 0.0
    gc.freeze()
    for _ in range(count):
        frame = mutated(rng, rng.choice(seeds))
        began = time.perf_counter()
        try:
            run(frame)
        except allowed:
            pass
        except Exception as error:
            return worst, f"{type(error).__name__}: {error} from {frame[:200]!r}"
        took = (time.perf_counter() - began) * 1_000
        if took > worst:
            # A machine that does something else is no finding: the best of three counts.
            worst = max(worst, min(took, *(_again(run, frame, allowed) for _ in range(2))))
    return worst, ""


def _again(run: Callable[[bytes], object], frame: bytes, allowed: tuple[type[Exception], ...]) -> float:
    began = time.perf_counter()
    with suppress(*allowed):
        run(frame)
    return (time.perf_counter() - began) * 1_000


def mutated(rng: Random, seed: bytes) -> bytes:
    """Return ``seed`` with one to four changes, one in ten left alone."""
    frame = bytearray(seed)
    for _ in range(rng.choice((0, 1, 1, 1, 1, 2, 2, 3, 3, 4))):
        at = rng.randrange(len(frame) + 1)
        match rng.randrange(5):
            case 0:
                frame[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del frame[at : at + rng.randrange(1, 40)]
            case 2:
                frame[at : at + rng.randrange(12)] = rng.choice(JUNK)
            case 3:
                frame[at:at] = frame[at : at + rng.randrange(200)]
            case _:
                quote = frame.find(b":", at)
                frame[quote + 1 : frame.find(b",", quote + 1)] = rng.choice(JUNK)
    return bytes(frame)


def _seeds(kind: str) -> list[bytes]:
    """Return the payloads of a kind, compact, a line each."""
    folders = [source.polymarket for source in available()]
    found = [path for folder in folders for path in sorted(folder.glob(f"*/*{kind}*")) if "ws_user" not in path.name]
    texts = [
        line
        for path in found
        for line in (path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()])
    ]
    values = [json.loads(text) for text in texts]
    if kind == "ws_":
        zoo = OWN.load("polymarket/messages.json")
        values += [case["wire"] for case in zoo]
    return [json.dumps(value, separators=(",", ":")).encode() for value in values]


def _tokens(value: object) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(_tokens, value))
    if not isinstance(value, dict):
        return set()
    named = {value["asset_id"]} if isinstance(value.get("asset_id"), str) else set()
    return named | _tokens(list(value.values()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.fuzz_polymarket", description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=COUNT)
    sys.exit(main(parser.parse_args().count))
