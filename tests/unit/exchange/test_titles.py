"""Titles exist for every category, and some are hostile."""

import pytest

from predsurv.core.text import sanitise
from predsurv.exchange.titles import CATEGORIES, FEE_RATES, HOSTILE, TAGS, binary_title, exclusive_title
from predsurv.exchange.world import random_stream


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_category_has_texts(category: str) -> None:
    rng = random_stream(1, category)
    assert "{" not in binary_title(rng, category).headline
    for count in range(3, 9):
        title = exclusive_title(rng, category, count)
        assert len(set(title.labels)) == len(set(title.questions)) == count
        assert not any("{" in question for question in title.questions)
    assert 0 <= FEE_RATES[category] <= 70_000
    assert TAGS[category]


def test_hostile_titles_need_the_sanitiser() -> None:
    assert sum(sanitise(title) != title for title in HOSTILE) >= 3
    assert any("[/" in title for title in HOSTILE)
    for title in HOSTILE:
        title.encode()  # a lone surrogate would break every file, not just a surface
