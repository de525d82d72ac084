"""The description of a release in Croissant 1.1, ML Commons' vocabulary for datasets."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from predsurv.store.layout import FOLDERS, Dataset

_TYPES: Final = {
    "string": "sc:Text",
    "double": "sc:Float",
    "bool": "sc:Boolean",
    "int64": "sc:Integer",
    "int32": "sc:Integer",
}
_CONTEXT: Final = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "column": "cr:column",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileSet": "cr:fileSet",
    "includes": "cr:includes",
    "recordSet": "cr:recordSet",
    "source": "cr:source",
}


def description(
    title: str,
    venue: str,
    dates: Sequence[str],
    datasets: Mapping[Dataset, tuple[str, Any]],
    *,
    license_name: str,
    sums: Mapping[str, str],
) -> dict[str, Any]:
    """Return the description; ``datasets``: what a row of each is and its Arrow schema, ``sums``: SHA-256 by file."""
    digests = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
    checksums = {
        "@type": "cr:FileObject",
        "@id": "checksums",
        "name": "checksums",
        "contentUrl": "SHA256SUMS",
        "encodingFormat": "text/plain",
        "sha256": hashlib.sha256(digests.encode()).hexdigest(),
    }
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": title,
        "description": f"Order books and trades of {venue} with recorded gaps, {dates[0]} to {dates[-1]} (UTC).",
        "license": license_name,
        "version": "1.0.0",
        "temporalCoverage": f"{dates[0]}/{dates[-1]}",
        "distribution": [checksums, *map(_file_set, datasets)],
        "recordSet": [_record_set(name, *each) for name, each in datasets.items()],
    }


def _file_set(dataset: Dataset) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": f"{dataset}-files",
        "name": f"{dataset}-files",
        "encodingFormat": "application/vnd.apache.parquet",
        "includes": f"{FOLDERS[dataset]}/**/*.parquet",
    }


def _record_set(dataset: Dataset, about: str, schema: Any) -> dict[str, Any]:
    fields = [_field(dataset, column) for column in schema]
    return {"@type": "cr:RecordSet", "@id": dataset, "name": dataset, "description": about, "field": fields}


def _field(dataset: Dataset, column: Any) -> dict[str, Any]:
    kind = str(column.type)
    return {
        "@type": "cr:Field",
        "@id": f"{dataset}/{column.name}",
        "name": column.name,
        "dataType": "sc:DateTime" if kind.startswith("timestamp") else _TYPES.get(kind, "sc:Text"),
        "source": {"fileSet": {"@id": f"{dataset}-files"}, "extract": {"column": column.name}},
    }
