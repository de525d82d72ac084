"""The own payloads are shaped like the recorded ones and copy none of them; a missing recording is never silent."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.data import make_polymarket
from tests.kit.payloads import OWN, RECORDED, Payloads, required

ROOT = Path(__file__).resolve().parents[2]
# What the tests read; each pattern holds the same kinds of payload in both sources.
KINDS = [
    "kalshi/auth/*.json",
    "kalshi/rest/events_page_*.json",
    "kalshi/rest/markets_mve_list_*.json",
    "kalshi/rest/markets_page_*.json",
    "kalshi/rest/orderbook_*.json",
    "kalshi/rest/series_*.json",
    "kalshi/ws/*.jsonl",
    "polymarket/adapter_samples/clob_book_*.json",
    "polymarket/adapter_samples/clob_market_*.json",
    "polymarket/adapter_samples/gamma_event.json",
    "polymarket/adapter_samples/gamma_market*.json",
    "polymarket/adapter_samples/search_*.json",
    "polymarket/adapter_samples/ws_[!u]*.json",
    "polymarket/book_hash_vectors.json",
    "polymarket/captured/clob_markets_*.json",
    "polymarket/captured/gamma_market_*.json",
    "polymarket/captured/ws_market_*.json*",
]


def values(source: Payloads, pattern: str) -> Iterator[Any]:
    """Yield every value in the files of a pattern, line by line in those of lines."""
    for path in sorted(source.root.glob(pattern)):
        text = path.read_text()
        yield from map(json.loads, text.splitlines() if path.suffix == ".jsonl" else [text])


def shape(value: Any) -> str:
    """Return the keys of ``value`` in order with the types below them; what differs in a list counts once."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{shape(each)}" for key, each in value.items() if key != "src") + "}"
    if isinstance(value, list):
        return "[" + "|".join(sorted({shape(each) for each in value})) + "]"
    return type(value).__name__


def spacing(source: Payloads, pattern: str) -> set[str]:
    """Return what stands after the commas and colons outside of texts."""
    texts = (re.sub(r'"(?:[^"\\]|\\.)*"', '""', path.read_text()) for path in source.root.glob(pattern))
    return {gap for text in texts for gap in re.findall(r"[,:]\s*", text)}


def texts(value: Any) -> Iterator[str]:
    """Yield every text and number below ``value`` as text."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from texts(each)
    elif isinstance(value, str) and value.startswith("["):
        yield from texts(json.loads(value))
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)


def telling(found: Iterable[str]) -> set[str]:
    """Return those that were hardly invented twice: no word or path of the protocol, and longer than a price."""
    words = re.compile(r"[A-Za-z]+[A-Za-z_0-9]*|[yesno,]+|/trade-api/[a-z0-9/]+")
    return {text for text in found if len(text.strip("0.")) >= 6 and not words.fullmatch(text)}


@pytest.mark.parametrize("pattern", KINDS)
def test_every_shape_that_was_recorded_is_among_the_own_payloads(pattern: str) -> None:
    recorded = {shape(value): value for value in values(required(RECORDED), pattern)}
    own = {shape(value) for value in values(OWN, pattern)}
    assert recorded
    assert not [value for each, value in recorded.items() if each not in own]
    assert spacing(OWN, pattern) >= spacing(RECORDED, pattern)


def test_own_payloads_copy_no_recorded_value() -> None:
    required(RECORDED)
    everything = {text for pattern in ("**/*.json", "**/*.jsonl") for text in texts([*values(RECORDED, pattern)])}
    own = telling(text for pattern in KINDS for text in texts([*values(OWN, pattern)]))
    assert len(own) > 500
    assert not own & everything


@pytest.mark.parametrize("pattern", KINDS)
def test_there_are_own_payloads_of_every_kind(pattern: str) -> None:
    assert list(values(OWN, pattern))


def test_own_frames_with_hashes_are_what_their_generator_writes() -> None:
    folder = OWN.polymarket
    written = make_polymarket.files()
    assert {name: (folder / name).read_text() for name in written} == written
    assert OWN.load("polymarket/book_hash_vectors.json") == make_polymarket.vectors()


def run(tmp_path: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run tests that need payloads in a process of their own, where no recording is."""
    file = "tests/unit/venues/kalshi/test_auth.py"
    tests = [f"{file}::{name}" for name in ("test_the_ed25519_vector", "test_every_request_is_signed_anew")]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, *tests]
    kept = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("PYTEST_")}
    environment = {**kept, "PREDSURV_PAYLOADS": str(tmp_path / "absent"), **variables}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "with workers"])
def test_one_line_says_what_missing_recordings_cost(tmp_path: Path, workers: list[str]) -> None:
    done = run(tmp_path, *workers)
    said = [line for line in done.stdout.splitlines() if "set PREDSURV_PAYLOADS" in line and "SKIPPED" not in line]
    assert done.returncode == 0, done.stdout
    assert len(said) == 1
    assert said[0].startswith("2 tests skipped")
    assert str(tmp_path / "absent") in said[0]


@pytest.mark.slow
def test_ci_refuses_to_run_without_recordings(tmp_path: Path) -> None:
    done = run(tmp_path, CI="true")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    (line,) = (line for line in (done.stdout + done.stderr).splitlines() if line.strip())
    assert "PREDSURV_PAYLOADS" in line
    assert str(tmp_path / "absent") in line
