"""Gamma rows of the payloads and the markets they are."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from predsurv.venues.polymarket.gamma_row import read_row
from predsurv.venues.polymarket.market_parser import parse_market
from tests.kit.payloads import Payloads


def rows_of(payloads: Payloads) -> Iterator[tuple[str, dict[str, Any]]]:
    folder = payloads.polymarket
    for path in [*folder.glob("captured/gamma_market*.json"), *folder.glob("adapter_samples/gamma_market*.json")]:
        yield path.name, json.loads(path.read_text())
    (event,) = json.loads((folder / "adapter_samples" / "gamma_event.json").read_text())
    for row in event.pop("markets"):
        yield f"gamma_event.json {row['id']}", {**row, "events": [event]}
    for found in json.loads((folder / "adapter_samples" / "search_response.json").read_text())["events"]:
        for row in found.get("markets", [])[:1]:
            yield f"search_response.json {row['id']}", {**row, "events": [{**found, "markets": None}]}


def markets_of(payloads: Payloads) -> dict[str, Any]:
    """Return the market of each row, with the start of its description, None where it is none."""
    found = {}
    for name, row in rows_of(payloads):
        shown = json.loads(msgspec.json.encode(parse_market(read_row(json.dumps(row).encode()), 7).market))
        if shown is not None and "description" in shown:
            shown["description"] = shown["description"][:40]
        found[name] = shown
    return found
