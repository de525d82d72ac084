"""Every test of the adapter runs with either set of readers."""

from collections.abc import Iterator

import pytest

from predsurv.venues.polymarket import fast_decoder


@pytest.fixture(scope="module", params=["Python", "compiled"], autouse=True)
def _readers(request: pytest.FixtureRequest) -> Iterator[None]:
    readers = fast_decoder.PYTHON if request.param == "Python" else fast_decoder.COMPILED
    if readers is None:
        pytest.skip("the compiled readers are not built: there was no C compiler")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast_decoder, "BEST", readers)
        yield
