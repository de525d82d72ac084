"""Private requests to the CLOB: refusals in words, limits that are kept, lists with an end."""

import pytest

from predsurv.core.errors import PermanentError, WireError
from predsurv.net.http import StatusError
from predsurv.venues.polymarket.execution.session import PAGES_MAX, next_page
from predsurv.venues.requests import VenueRequest
from tests.kit.scripted_accounts import clob_account
from tests.kit.scripted_http import Answer

POST = VenueRequest("POST", "/order", b"{}")
DELETE = VenueRequest("DELETE", "/order", b"{}")


async def test_a_refused_key_is_said_to_be_one() -> None:
    account = clob_account(Answer(status=401))
    with pytest.raises(PermanentError, match="polymarket refuses the API key; a wrong clock is refused like a wrong"):
        await account.session.read("/data/orders")


async def test_another_refusal_keeps_its_status() -> None:
    account = clob_account(Answer(status=404))
    with pytest.raises(StatusError) as raised:
        await account.session.read("/data/order/0x1")
    assert raised.value.status == 404


@pytest.mark.parametrize(("headers", "wait"), [({"Retry-After": "7"}, 7), ({}, 1)])
async def test_no_order_is_sent_for_as_long_as_the_venue_asks_but_cancels_are(
    headers: dict[str, str], wait: int
) -> None:
    account = clob_account(Answer(status=429, headers=headers), Answer())
    clock = account.server.clock
    before = clock.monotonic()
    assert (await account.session.send(POST)).status == 429
    assert (await account.session.send(DELETE)).status == 200
    assert clock.monotonic() == before
    assert (await account.session.send(POST)).status == 200
    assert clock.monotonic() - before >= wait * 1_000_000_000


def test_a_list_goes_on_until_there_is_no_cursor() -> None:
    query = (("market", "0x1"),)
    assert next_page(query, None, ["page"]) is None
    assert next_page(query, "abc", ["page"]) == (*query, ("next_cursor", "abc"))
    with pytest.raises(WireError, match=f"a list of the account has more than {PAGES_MAX} pages"):
        next_page(query, "abc", ["page"] * PAGES_MAX)
