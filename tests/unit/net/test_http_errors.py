"""Nothing a server says reaches a message as it came."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.net.http_errors import RETRY_AFTER_MAX, display_url, error_text, http_date, retry_after, summary

S = 1_000_000_000
NOW = 1_445_412_480 * S  # Wed, 21 Oct 2015 07:28:00 GMT


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "no text"),
        (b'{"error": "too many\n requests"}', '{"error": "too many requests"}'),
        (b"<html><head><title>502 Bad\x1b[2J Gateway</title></head></html>", "502 Bad [2J Gateway"),
        (b"<html><script>alert(1)</script><body><h1>Attention</h1> required</body>", "Attention required"),
        (b"<html><title> </title><style>x{}</style><p>down", "down"),
        (b"<" * 5_000, "no text"),
        (b"\xff\xfe\x00", "no text"),
    ],
)
def test_a_body_is_summarised(body: bytes, expected: str) -> None:
    assert summary(body) == expected


@given(st.binary(max_size=6_000))
def test_a_summary_is_short_and_harmless(body: bytes) -> None:
    text = summary(body)
    assert 0 < len(text) <= 120
    assert "\x1b" not in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        ("0", 0),
        ("7", 7 * S),
        ("999999999", RETRY_AFTER_MAX),
        ("Wed, 21 Oct 2015 07:28:05 GMT", 5 * S),
        ("Wed, 21 Oct 2015 07:28:05 -0000", 5 * S),
        ("Wed, 21 Oct 2015 07:00:00 GMT", 0),
        ("Wed, 21 Oct 9999 07:28:00 GMT", RETRY_AFTER_MAX),
        ("Wed, 99 Oct 2015 07:28:00 GMT", None),
        ("9" * 65, None),
    ],
)
def test_retry_after(value: str | None, wait: int | None) -> None:
    assert retry_after(value, NOW) == wait


@given(st.text(max_size=80))
def test_any_retry_after_is_a_bounded_wait_or_none(value: str) -> None:
    wait = retry_after(value, NOW)
    assert wait is None or 0 <= wait <= RETRY_AFTER_MAX


def test_a_displayed_url_has_no_query_and_no_password() -> None:
    assert display_url("https://user:pass@host:1/path?signature=abc#x") == "host:1/path"
    assert display_url("https://[::1") == "a malformed URL"


def test_an_error_text_is_never_empty() -> None:
    assert error_text(OSError(111, "Connection refused")) == "[Errno 111] Connection refused"
    assert error_text(TimeoutError()) == "timed out"
    assert error_text(KeyError()) == "KeyError"
    assert error_text(ValueError("a\nb\x1b")) == "a b"


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("Mon, 01 Jan 2024 00:00:00 GMT", 1_704_067_200_000_000_000),
        ("Mon, 01 Jan 2024 00:00:00 -0000", 1_704_067_200_000_000_000),
        ("Mon, 01 Jan 2024 01:00:00 +0100", 1_704_067_200_000_000_000),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999", None),
        ("Mon, 01 Jan 99999 00:00:00 GMT", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_a_date_is_read_or_absent(value: str | None, moment: int | None) -> None:
    assert http_date(value) == moment
