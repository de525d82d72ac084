"""What is written back can be read again, and a failed write leaves the old file."""

import os
from pathlib import Path
from typing import Literal, get_args, get_origin

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predsurv.config import Config, load, write_back
from predsurv.config.schema import KEYS, build
from predsurv.config.value_types import AmountType, BytesType, DurationType, PlainType, Shard
from predsurv.config.writing import to_toml
from predsurv.core.errors import ConfigError

NAMES = st.lists(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20), max_size=4).map(tuple)


def value_of(name: str) -> st.SearchStrategy[object]:
    key = KEYS[name]
    match key.value_type:
        case PlainType(hint) if hint is bool:
            return st.booleans()
        case PlainType(hint) if get_origin(hint) is Literal:
            return st.sampled_from(get_args(hint))
        case PlainType(hint) if get_args(hint)[0] is int:
            bounds = get_args(hint)[1]
            return st.integers(bounds.ge, bounds.le)
        case DurationType(low, high) | BytesType(low, high) | AmountType(low, high):
            return st.integers(low, high)
        case _:
            pass
    if name in ("mock.faults", "collector.pinned", "trading.venues", "trading.strategies"):
        return NAMES
    if name == "miner.weights":
        return st.dictionaries(st.from_regex(r"[a-z_]{1,12}", fullmatch=True), st.integers(-(10**9), 10**9), max_size=3)
    if name == "collector.shard":
        return st.integers(1, 1024).flatmap(lambda n: st.integers(1, n).map(lambda i: Shard(i, n)))
    return st.just(key.value)


def legal(config: Config) -> bool:
    return config.storage.heartbeat_interval >= config.storage.snapshot_interval


CONFIGS = st.fixed_dictionaries({name: value_of(name) for name in KEYS}).map(build).filter(legal)


@settings(max_examples=50)
@given(CONFIGS)
def test_what_is_written_reads_as_the_same_configuration(
    tmp_path_factory: pytest.TempPathFactory, config: Config
) -> None:
    path = tmp_path_factory.getbasetemp() / "round-trip.toml"
    write_back(config, path)
    assert load(path, environ={}).config == config


def test_the_file_says_where_the_explanations_are() -> None:
    assert to_toml(Config()).startswith("# Written by predsurv. config/surveillance.toml explains every key.\n")


def test_folders_are_made_and_nothing_is_left_beside(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.toml"
    write_back(Config(), path)
    assert os.listdir(path.parent) == ["c.toml"]
    assert path.stat().st_mode & 0o077 == 0


def test_a_configuration_that_would_not_load_is_never_written(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    write_back(Config(), path)
    before = path.read_bytes()
    broken = msgspec.structs.replace(Config(), mock=msgspec.structs.replace(Config().mock, markets=0))
    with pytest.raises(ConfigError, match=r"c\.toml: mock\.markets"):
        write_back(broken, path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["c.toml"]


def test_a_place_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written: "):
        write_back(Config(), tmp_path / "file" / "c.toml")
    with pytest.raises(ConfigError, match="cannot be written: "):
        write_back(Config(), Path(tmp_path))
    assert os.listdir(tmp_path) == ["file"]
