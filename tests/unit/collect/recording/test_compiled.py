"""The compiled implementation offers what the two modules call."""

import pytest

from predsurv.collect.recording.compiled import native


def test_the_extension_offers_both_functions() -> None:
    if native is None:
        pytest.skip("not compiled here")
    assert callable(native.fold_changes)
    assert callable(native.show_due)
