"""Signatures verify against those of the venue's own library and of openssl, and no part of a key is ever shown."""

import json
import logging
import pickle
from base64 import b64decode
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_elliptic
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)

from predsurv.config import Secret
from predsurv.core.errors import ConfigError
from predsurv.net.clock import ManualClock
from predsurv.venues.kalshi.auth import RequestSigner, load_signer
from tests.kit.payloads import Payloads
from tests.kit.shown import whole_traceback

KEY_ID = "a952bcbe-ec3b-4b5b-b8f9-11dae589608c"
STAMP = 1_703_123_456_789_000_000


@pytest.fixture
def auth(payloads: Payloads) -> Path:
    return payloads.kalshi / "auth"


def signer(pem: str, stamp_ms: str = "1703123456789", key_id: str = KEY_ID) -> RequestSigner:
    return RequestSigner(Secret(key_id), Secret(pem), ManualClock(int(stamp_ms) * 1_000_000))


def pem_of_another_kind() -> str:
    return generate_elliptic(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem() -> str:
    public = generate_private_key(65_537, 2_048).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def pem(bits: int = 2_048, password: bytes | None = None) -> str:
    guard = BestAvailableEncryption(password) if password else NoEncryption()
    return generate_private_key(65_537, bits).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, guard).decode()


def verifies(public: RSAPublicKey, signature: str, message: str, salt: int = 32) -> bool:
    try:
        public.verify(b64decode(signature), message.encode(), PSS(MGF1(SHA256()), salt), SHA256())
    except InvalidSignature:
        return False
    return True


def test_four_signatures_of_an_independent_tool_verify_like_ours(auth: Path) -> None:
    public = load_pem_public_key((auth / "test_rsa_pub.pem").read_bytes())
    assert isinstance(public, RSAPublicKey)
    (vectors,) = auth.glob("rsa_pss_signatures_by_*.json")
    theirs = json.loads(vectors.read_text())
    assert len(theirs) == 4
    for form in ("pkcs1", "pkcs8"):
        for entry in theirs:
            key_id = entry["headers"]["KALSHI-ACCESS-KEY"]
            ours = signer((auth / f"test_rsa_{form}.pem").read_text(), entry["timestamp"], key_id)
            assert verifies(public, entry["headers"]["KALSHI-ACCESS-SIGNATURE"], entry["message"])
            url = f"https://external-api.kalshi.com{entry['path']}?limit=5"
            headers = dict(ours.headers(entry["method"], url))
            signature = headers.pop("KALSHI-ACCESS-SIGNATURE")
            assert headers == {"KALSHI-ACCESS-KEY": key_id, "KALSHI-ACCESS-TIMESTAMP": entry["timestamp"]}
            assert verifies(public, signature, entry["message"])
            assert not verifies(public, signature, entry["message"], salt=20), "the salt must have 32 bytes"
            assert not verifies(public, signature, entry["message"] + "?limit=5"), "the query is not signed"


def test_the_ed25519_vector(auth: Path) -> None:
    vector = json.loads((auth / "ed25519_vector.json").read_text())
    stamp = vector["message"].partition("GET")[0]
    headers = signer((auth / "test_ed25519.pem").read_text(), stamp).headers(
        "GET", "https://external-api.kalshi.com/trade-api/v2/portfolio/balance"
    )
    assert headers["KALSHI-ACCESS-SIGNATURE"] == vector["signature_b64"]


async def test_every_request_is_signed_anew(auth: Path) -> None:
    clock = ManualClock(STAMP)
    ours = RequestSigner(Secret(KEY_ID), Secret((auth / "test_ed25519.pem").read_text()), clock)
    first = ours.headers("GET", "https://h/p")
    await clock.advance(1_000_000_000)
    second = ours.headers("GET", "https://h/p")
    assert int(second["KALSHI-ACCESS-TIMESTAMP"]) - int(first["KALSHI-ACCESS-TIMESTAMP"]) == 1_000
    assert first["KALSHI-ACCESS-SIGNATURE"] != second["KALSHI-ACCESS-SIGNATURE"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("not a key", "not a private key in PEM form"),
        ("-----BEGIN X-----\nQUJD\n-----END X-----", "not a private key in PEM form"),
        (pem(bits=1_024), "at least 2048 bits"),
        (pem_of_another_kind(), "neither an Ed25519 key nor an RSA key"),
        (public_pem(), "not a private key in PEM form"),
        (pem(password=b"pw"), "password"),
    ],
)
def test_unfit_keys_are_refused_without_showing_them(body: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        signer(body)
    shown = whole_traceback(refused.value)
    assert not [line for line in body.splitlines() if len(line) > 8 and not line.startswith("-") and line in shown]


@pytest.mark.parametrize("key_id", ["x", "a" * 200, "a952bcbe\r\nX: y", "ä" * 20])
def test_a_key_id_that_cannot_be_one_is_refused(key_id: str) -> None:
    with pytest.raises(ConfigError, match="does not look like a key id"):
        RequestSigner(Secret(key_id), Secret("x"), ManualClock())


def test_a_signer_cannot_be_shown(auth: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = (auth / "test_rsa_pkcs8.pem").read_text()
    ours = signer(text)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("x").warning("%s %r %s", ours, ours, vars(type(ours)))
    shown = f"{ours} {ours!r} {caplog.text}"
    assert not any(line in shown for line in (KEY_ID, *text.splitlines()[1:-1]))
    with pytest.raises(TypeError):
        pickle.dumps(ours)


def test_loading_from_the_environment(auth: Path, tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_text((auth / "test_ed25519.pem").read_text())
    file.chmod(0o600)
    env = {"PREDSURV_KALSHI_KEY_ID": KEY_ID, "PREDSURV_KALSHI_PRIVATE_KEY_FILE": str(file)}
    assert load_signer(ManualClock(), env) is not None
    assert load_signer(ManualClock(), {}) is None
    for name in env:
        with pytest.raises(ConfigError, match="set both"):
            load_signer(ManualClock(), {key: value for key, value in env.items() if key != name})
    file.chmod(0o640)
    with pytest.raises(ConfigError, match="can be read by others"):
        load_signer(ManualClock(), env)
    with pytest.raises(ConfigError, match="cannot read the key file"):
        load_signer(ManualClock(), {**env, "PREDSURV_KALSHI_PRIVATE_KEY_FILE": str(tmp_path / "none")})
