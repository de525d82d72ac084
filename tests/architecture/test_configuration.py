"""Every configuration key is read by the program, or is declared as reserved."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_type_hints

from msgspec import Struct

from predsurv.config.schema import KEYS, RESERVED, Config
from predsurv.engine.risk.checks import RiskLimits

_ROOT = Path(__file__).resolve().parents[2]

# Keys whose only readers are in the configuration package itself.
INTERNAL = {
    "allow_custom_hosts": "relaxes the check of every URL while the configuration is loaded",
    "local_dir": "what Config.data_dir is when the key data_dir names a bucket",
}
# Section -> the struct that copies its keys by name (`getattr` over the fields of the struct).
COPIED: dict[str, type[Struct]] = {"risk.": RiskLimits}

Aliases = dict[str, set[str]]
"""Expressions (``name`` or ``self.name``) and the sections they may hold, as prefixes of keys: "" is the whole."""


def sections(struct: type[Struct] = Config, prefix: str = "") -> Iterator[tuple[str, type[Struct]]]:
    """Every section with its prefix: ("", Config), ("venues.", VenuesConfig), ("venues.kalshi.", KalshiConfig) ..."""
    yield prefix, struct
    for name, hint in get_type_hints(struct).items():
        if isinstance(hint, type) and issubclass(hint, Struct):
            yield from sections(hint, f"{prefix}{name}.")


PREFIXES = {struct.__name__: prefix for prefix, struct in sections()}


def keys_read(source: str) -> set[str]:
    """The keys that a module reads as attributes of a section, whatever name the section has there."""
    tree = ast.parse(source)
    aliases = _aliases(tree)
    reads = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)]
    return {prefix + node.attr for node in reads for prefix in _held_by(node.value, aliases)} & set(KEYS)


def _aliases(tree: ast.AST) -> Aliases:
    aliases: Aliases = defaultdict(set)
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.annotation is not None:
            named = {name.id for name in ast.walk(node.annotation) if isinstance(name, ast.Name)}
            aliases[node.arg] |= {PREFIXES[name] for name in named & set(PREFIXES)}
    while True:
        before = {name: set(held) for name, held in aliases.items()}
        for target, value in _assignments(tree):
            aliases[ast.unparse(target)] |= _held_by(value, aliases)
        if before == aliases:
            return aliases


def _assignments(tree: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                yield from zip(target.elts, node.value.elts, strict=False)
            else:
                yield target, node.value


def _held_by(node: ast.expr, aliases: Mapping[str, set[str]]) -> set[str]:
    """The prefixes of the sections that an expression may hold; none for anything else."""
    held = set(aliases.get(ast.unparse(node), ()))
    if isinstance(node, ast.Attribute):
        inner = {f"{prefix}{node.attr}." for prefix in _held_by(node.value, aliases)}
        held |= inner & set(PREFIXES.values())
        held |= {""} if node.attr == "config" else set()  # LoadedConfig.config
    return held


def _all_read() -> set[str]:
    package = _ROOT / "predsurv"
    files = [file for file in package.rglob("*.py") if not file.is_relative_to(package / "config")]
    return set().union(*(keys_read(file.read_text()) for file in files))


def test_every_key_is_read_or_declared_reserved() -> None:
    copied = {prefix + name for prefix, struct in COPIED.items() for name in struct.__struct_fields__}
    assert set(KEYS) - _all_read() - copied - set(INTERNAL) == set(RESERVED)


def test_keys_copied_by_name_are_keys() -> None:
    for prefix, struct in COPIED.items():
        assert {prefix + name for name in struct.__struct_fields__} <= set(KEYS)


def test_reads_are_found_in_every_form() -> None:
    source = """
def opened(config: Config, storage: StorageConfig | None) -> None:
    collector, mock = config.collector, config.mock
    use(collector.id, mock.seed, storage.compact, load(x).config.miner.top)
    collector.shard = 1

class Venue:
    def __init__(self, config: Config):
        self._config = config

    def url(self):
        return self._config.venues.kalshi.ws_url, self._other.venues.kalshi.rest_url
"""
    assert keys_read(source) == {"collector.id", "mock.seed", "storage.compact", "miner.top", "venues.kalshi.ws_url"}
