"""No spelling of a known secret, and nothing shaped like one, gets through."""

from base64 import b64encode
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.telemetry.redaction import Redactor

KEY = "0x" + "a1b2c3d4" * 8
# In pieces, so that nobody searching the repository for keys finds one.
BEGIN = "-----BEGIN " + "PRIVATE KEY-----"
PEM = f"{BEGIN}\nMIIEvQIBADANBgkqhkiG9w0B\nQEFAASCBKcwggSjAgEAAoIB\n{BEGIN.replace('BEGIN', 'END')}\n"


@pytest.mark.parametrize(
    "spelling",
    [KEY, KEY[2:], KEY.upper(), KEY[:10], b64encode(KEY.encode()).decode(), KEY.encode().hex(), quote(KEY)],
)
def test_known_secrets_are_redacted_in_every_encoding(spelling: str) -> None:
    shown = Redactor([KEY])(f"before {spelling} after")
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert "a1b2c3" not in shown.lower()
    assert spelling[:12] not in shown


def test_a_pem_key_is_redacted_whole_or_line_by_line() -> None:
    redact = Redactor([PEM])
    for shown in (redact(PEM), redact("x MIIEvQIBADAN y QEFAASCBKcwggSj z"), redact(b64encode(PEM.encode()).decode())):
        assert "MIIEv" not in shown
        assert "QEFAA" not in shown
        assert "LS0tLS1CRUdJTi" not in shown


@pytest.mark.parametrize(
    "text",
    [
        "private_key=CANARY1234",
        "'api_key': 'CANARY1234'",
        '{"passphrase":"CANARY1234"}',
        "Authorization: Bearer CANARY1234",
        "sent bearer CANARY1234",
        "KALSHI-ACCESS-SIGNATURE: CANARY1234",
        BEGIN + "\nCANARY1234",
    ],
)
def test_unknown_text_that_looks_like_a_secret_is_redacted(text: str) -> None:
    assert "CANARY" not in Redactor()(text)


@pytest.mark.parametrize(
    "text", ["", "orders 5 signature_type=2", "https://kalshi.com/markets/KXFED-26DEC", "0.5 @ 12"]
)
def test_text_without_secrets_is_unchanged(text: str) -> None:
    assert Redactor([KEY])(text) == text


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=64), st.text(max_size=30))
def test_any_known_secret_is_redacted_in_any_text(secret: str, around: str) -> None:
    assert secret not in Redactor([secret])(f"{around}{secret}{around}")
