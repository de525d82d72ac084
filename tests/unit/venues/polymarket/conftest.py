"""Everything that is asked of the adapter is asked with either set of readers."""

from collections.abc import Iterator

import pytest

from predsurv.venues.polymarket import fast_decoder as changes


@pytest.fixture(scope="module", params=["Python", "compiled"], autouse=True)
def _readers(request: pytest.FixtureRequest) -> Iterator[None]:
    readers = changes.PYTHON if request.param == "Python" else changes.COMPILED
    if readers is None:
        pytest.skip("the compiled readers are not built: there was no C compiler")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(changes, "BEST", readers)
        yield
