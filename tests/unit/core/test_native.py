"""A compiled twin is used when it was built from these very sources' edition."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from predsurv.core import native as twins

HEADER = Path(twins.__file__).parent / "native" / "edition.h"


@pytest.mark.parametrize(("edition", "used"), [(twins.EDITION, True), (twins.EDITION - 1, False), (None, False)])
def test_a_twin_of_another_edition_is_not_used(edition: int | None, used: bool) -> None:
    twin = SimpleNamespace(EDITION=edition)
    assert (twins.accepted(twin) is twin) == used


def test_without_a_twin_there_is_none() -> None:
    assert twins.accepted(None) is None
    assert twins.accepted(SimpleNamespace()) is None


def test_both_languages_name_the_same_edition() -> None:
    stated = re.search(r"#define EDITION (\d+)", HEADER.read_text())
    assert stated is not None
    assert int(stated[1]) == twins.EDITION
