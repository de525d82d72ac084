"""Requests and their headers are values that do not show what they hold."""

import copy
import pickle

import pytest

from predsurv.venues.requests import PrivateHeaders, VenueRequest
from tests.kit.shown import everything_shown


def test_nothing_private_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    request = VenueRequest("POST", "/order", b'{"owner":"canary"}')
    headers = PrivateHeaders(POLY_NONCE="canary")
    shown = everything_shown(caplog, request, headers, {"headers": headers})
    assert "canary" not in shown
    assert "VenueRequest(POST /order, 18 bytes)" in shown
    assert headers["POLY_NONCE"] == "canary"
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            copied(headers)


def test_a_request_without_a_body_says_so() -> None:
    assert repr(VenueRequest("DELETE", "/cancel-all")) == "VenueRequest(DELETE /cancel-all, no body)"
