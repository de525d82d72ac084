"""A twin is there exactly when it was built, and offers what the two modules ask of it."""

from predsurv.collect.recording import compiled
from predsurv.core.native import EDITION


def test_a_twin_offers_both_parts() -> None:
    native = compiled.native
    assert native is None or (native.EDITION == EDITION and callable(native.fold_changes) and callable(native.show_due))
