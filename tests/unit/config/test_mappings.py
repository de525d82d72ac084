"""The file of approved mappings: what it gives, and what it refuses."""

from pathlib import Path

import pytest

from predsurv.config.mappings import read_mappings
from predsurv.core.errors import ConfigError
from predsurv.core.ids import InstrumentId, MarketId, VenueName
from predsurv.core.mapping import ApprovedMapping, MappedMarket

PAIR = """
[[pairs]]
approved_by = "ada"
approved_at = 2026-11-30T12:00:00Z
note = "same source, same hour"
[pairs.first]
venue = "polymarket"
market = "0xaa"
outcomes = ["11", "12"]
[pairs.second]
venue = "kalshi"
market = "KX-1"
outcomes = ["KX-1", "KX-1:no"]
"""


def read(folder: Path, text: str) -> tuple[ApprovedMapping, ...]:
    path = folder / "mappings.toml"
    path.write_text(text)
    return read_mappings(path)


def test_a_pair_names_markets_outcomes_and_who_approved_it_when(tmp_path: Path) -> None:
    first = MappedMarket(VenueName("polymarket"), MarketId("0xaa"), (InstrumentId("11"), InstrumentId("12")))
    second = MappedMarket(VenueName("kalshi"), MarketId("KX-1"), (InstrumentId("KX-1"), InstrumentId("KX-1:no")))
    assert read(tmp_path, PAIR) == (ApprovedMapping(first, second, "ada", 1_796_040_000_000_000_000),)
    assert read(tmp_path, PAIR.replace("12:00:00Z", "13:00:00+01:00")) == read(tmp_path, PAIR)
    assert read(tmp_path, PAIR.replace("12:00:00Z", "12:00:00")) == read(tmp_path, PAIR)


def test_no_file_and_an_empty_one_are_no_mappings(tmp_path: Path) -> None:
    assert read_mappings(tmp_path / "none.toml") == ()
    assert read(tmp_path, "") == ()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('approved_by = "ada"\n', "", "pair 1: nobody approved it"),
        ('"ada"', '" "', "nobody approved it"),
        ("approved_at = 2026-11-30T12:00:00Z\n", "", "nobody approved it"),
        ("2026-11-30T12:00:00Z", '"yesterday"', "approved_at"),
        ('"kalshi"', '"polymarket"', "both markets are of polymarket"),
        ('"KX-1", "KX-1:no"', '"KX-1", "KX-1"', "pair 1: second: both outcomes are KX-1"),
        ('"KX-1", "KX-1:no"', '"KX-1"', "outcomes"),
        ('market = "0xaa"', 'market = ""', "pair 1: first: an id is empty"),
        ("note =", "remark =", "remark"),
        ("[[pairs]]", "[[pear]]", "unknown key pear"),
        ("[[pairs]]", "[[pairs]", "not valid TOML"),
    ],
)
def test_what_is_not_approved_or_not_clear_is_refused_in_one_line(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=r"\A[^\n]*\Z") as refused:
        read(
            tmp_path,
            PAIR.replace(old, new).replace("[pairs.", "[pear.") if new == "[[pear]]" else PAIR.replace(old, new),
        )
    assert said in str(refused.value)


def test_pairs_that_are_no_list_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="pairs is no list"):
        read(tmp_path, "pairs = 3")


def test_one_market_is_not_two_of_the_other_venue(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"pairs 1 and 2 map 0xaa to two markets of one venue"):
        read(tmp_path, PAIR + PAIR.replace("KX-1", "KX-2"))
    assert len(read(tmp_path, PAIR + PAIR.replace("KX-1", "KX-2").replace("0xaa", "0xbb"))) == 2


REJECTED = """
[[rejected]]
rejected_by = "ada"
rejected_at = 2026-11-30T12:30:00Z
first = { venue = "kalshi", market = "KX-1" }
second = { venue = "polymarket", market = "0xaa" }
"""


def test_the_last_decision_on_a_pair_counts(tmp_path: Path) -> None:
    again = PAIR.replace("12:00:00Z", "13:00:00Z").replace('"ada"', '"eve"')
    assert [each.approved_by for each in read(tmp_path, PAIR + again)] == ["eve"]
    assert [each.approved_by for each in read(tmp_path, again + PAIR)] == ["eve"]
    assert read(tmp_path, PAIR + REJECTED) == ()
    assert [each.approved_by for each in read(tmp_path, PAIR + REJECTED + again)] == ["eve"]
    undated = REJECTED.replace("rejected_at = 2026-11-30T12:30:00Z\n", "")
    assert len(read(tmp_path, PAIR + undated)) == 1


def test_a_market_whose_pair_was_rejected_since_can_be_approved_with_another(tmp_path: Path) -> None:
    other = PAIR.replace('"0xaa"', '"0xbb"').replace("12:00:00Z", "13:00:00Z")
    (mapping,) = read(tmp_path, PAIR + REJECTED + other)
    assert mapping.first.market_id == "0xbb"
