"""The description of a release names every file set and column once, and nothing that is not there."""

from typing import Any

import pyarrow as pa

from predsurv.interchange.croissant import description
from predsurv.store.layout import Dataset
from predsurv.store.schema import schema_of


def test_every_column_of_every_dataset_is_a_field() -> None:
    schemas: dict[Dataset, tuple[str, Any]] = {
        "trades": ("a trade", schema_of("trades", 1)),
        "coverage": ("an interval", schema_of("coverage", 1)),
    }
    found = description(
        "Books", "kalshi", ("2026-11-01", "2026-11-02"), schemas, license_name="CC-BY-4.0", sums={"a": "1"}
    )
    sets = {each["@id"] for each in found["distribution"] if each["@type"] == "cr:FileSet"}
    assert sets == {"trades-files", "coverage-files"}
    fields = {field["@id"]: field for record in found["recordSet"] for field in record["field"]}
    assert set(fields) == {f"{name}/{column}" for name, (_, schema) in schemas.items() for column in schema.names}
    assert {field["source"]["fileSet"]["@id"] for field in fields.values()} == sets
    assert fields["trades/price"]["dataType"] == "sc:Float"
    assert fields["coverage/start"]["dataType"] == "sc:DateTime"
    assert found["temporalCoverage"] == "2026-11-01/2026-11-02"


def test_a_type_that_is_not_known_is_text() -> None:
    schema = pa.schema([("odd", pa.date32())])
    found = description("Books", "kalshi", ("2026-11-01",), {"trades": ("a trade", schema)}, license_name="", sums={})
    assert found["recordSet"][0]["field"][0]["dataType"] == "sc:Text"
