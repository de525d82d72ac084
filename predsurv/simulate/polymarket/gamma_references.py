"""What Gamma lists beside markets and events: tags, series, sports, its health, and a search by words."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from predsurv.simulate.polymarket.catalog import SimulatedCatalog, SimulatedEvent
from predsurv.simulate.server import ServerResponse, json_response

SEARCHED_MAX: Final = 50
_NOT_FOUND: Final = ServerResponse(404, b'{"type":"not found error","error":"id not found"}')

WriteEvent = Callable[[SimulatedEvent], dict[str, object]]


class GammaReferences:
    """Answers from the catalogue; a series is a category of markets. ``write_event`` returns an event's row."""

    def __init__(self, catalog: SimulatedCatalog, write_event: WriteEvent) -> None:
        self._catalog = catalog
        self._write_event = write_event

    def respond(self, parts: Sequence[str], query: Mapping[str, list[str]]) -> ServerResponse | None:
        """Return the response to ``GET`` of a path in parts, None for one that is unknown."""
        match parts:
            case ["status"]:
                return ServerResponse(200, b"OK", {"content-type": "text/plain"})
            case ["sports", *rest]:
                return json_response({"marketTypes": []} if rest else [])
            case ["series"]:
                return json_response(self._series())
            case ["series", name]:
                return _found(row for row in self._series() if row["id"] == name)
            case ["tags", *_, name]:
                return _found(row for row in self._tags() if row["slug" if len(parts) > 2 else "id"] == name)
            case ["public-search"]:
                return self._search(query.get("q", [""])[0].lower())
            case _:
                return None

    def _tags(self) -> list[dict[str, str]]:
        return tags(dict.fromkeys(tag for row in self._catalog.rows for tag in row.market.tags))

    def _series(self) -> list[dict[str, object]]:
        categories = dict.fromkeys(row.market.category for row in self._catalog.rows if row.market.category)
        return [
            {"id": str(10_001 + number), "ticker": name, "slug": name, "title": name, "active": True, "closed": False}
            for number, name in enumerate(categories)
        ]

    def _search(self, words: str) -> ServerResponse:
        found = [event for event in self._catalog.events if words in event.title.lower()]
        page = {"hasMore": len(found) > SEARCHED_MAX, "totalResults": len(found)}
        rows = [self._write_event(event) for event in found[:SEARCHED_MAX]]
        return json_response({"events": rows, "tags": [], "profiles": [], "pagination": page})


def tags(labels: Iterable[str]) -> list[dict[str, str]]:
    """Return tag objects; a tag's id is computed from its label."""
    return [{"id": str(1_000 + sum(label.encode()) * len(label)), "label": label, "slug": label} for label in labels]


def _found(rows: Iterable[Mapping[str, object]]) -> ServerResponse:
    row = next(iter(rows), None)
    return _NOT_FOUND if row is None else ServerResponse(200, msgspec.json.encode(row))
