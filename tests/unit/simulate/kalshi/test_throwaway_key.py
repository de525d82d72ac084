"""The throw-away key is private, and accepts what it signed and nothing else."""

import stat
from pathlib import Path

import pytest

from predsurv.net.clock import ManualClock
from predsurv.simulate.kalshi.throwaway_key import TOLERANCE, KeyType, ThrowawayKey
from predsurv.venues.kalshi.auth import RequestSigner, load_signer

URL = "http://127.0.0.1:1/trade-api/v2/markets?limit=5"
PATH = "/trade-api/v2/markets"


def signer(key: ThrowawayKey, path: Path, clock: ManualClock) -> RequestSigner:
    key.write(path)
    made = load_signer(clock, {"PREDSURV_KALSHI_KEY_ID": key.key_id, "PREDSURV_KALSHI_PRIVATE_KEY_FILE": str(path)})
    assert made is not None
    return made


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_signatures_are_checked_for_real(kind: KeyType, tmp_path: Path) -> None:
    clock, key = ManualClock(), ThrowawayKey(kind)
    headers = {name.lower(): value for name, value in signer(key, tmp_path / "k", clock).headers("GET", URL).items()}
    now = clock.now()
    assert key.accepts(headers, "GET", PATH, now)
    assert not key.accepts(headers, "POST", PATH, now)
    assert not key.accepts(headers, "GET", PATH + "/x", now)
    assert not key.accepts(headers, "GET", PATH, now + TOLERANCE + 1_000_000_000)
    assert not ThrowawayKey("ed25519").accepts(headers, "GET", PATH, now)
    for name in headers:
        assert not key.accepts({**headers, name: ""}, "GET", PATH, now)
        assert not key.accepts({**headers, name: "!" + headers[name]}, "GET", PATH, now)
        assert not key.accepts({**headers, name: "9" * 5_000}, "GET", PATH, now)


def test_the_file_is_private_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    ThrowawayKey("ed25519").write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        ThrowawayKey("ed25519").write(path)
