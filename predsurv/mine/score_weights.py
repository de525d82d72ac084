"""The weights of the components of a score; apart from these, since the recorder needs them without polars."""

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

from predsurv.core.errors import ConfigError
from predsurv.core.num import MICROS
from predsurv.core.text import sanitise

COMPONENT_NAMES: Final = (
    "activity", "trading", "volatility", "tightness", "depth", "two_sided", "freshness", "uncertainty", "cheapness",
    "earning", "filling", "foresight",
)  # fmt: skip
"""The components of a score; what each is: ``scores.COMPONENTS``."""

BUSY: Final = MappingProxyType({"activity": ("activity", "volatility", "freshness"), "trading": ("trading", "filling")})
"""The components that follow from how often a book changes, and from how much is traded: a recorder sees them live."""

PRESETS: Final[Mapping[str, Mapping[str, int]]] = MappingProxyType(
    {
        "research": {
            "activity": 20, "trading": 20, "volatility": 15, "tightness": 15, "depth": 10, "two_sided": 5,
            "freshness": 5, "uncertainty": 10,
        },
        "taker": {"tightness": 20, "cheapness": 25, "depth": 10, "volatility": 20, "trading": 10, "foresight": 15},
        "maker": {"earning": 30, "filling": 25, "trading": 20, "two_sided": 10, "uncertainty": 10, "activity": 5},
        "arbitrage": {"activity": 20, "cheapness": 25, "depth": 20, "freshness": 15, "volatility": 10, "two_sided": 10},
    }
)  # fmt: skip
"""Weights in percent by what somebody wants of a market; ``[miner] weights`` replaces single ones."""

DEFAULT_PRESET: Final = "research"


def weights(chosen: Mapping[str, int], preset: str = DEFAULT_PRESET) -> dict[str, float]:
    """Return the weight of each component of ``preset``, given those in the configuration (micros); they add up to 1.

    Raises ConfigError for an unknown name, a negative weight, or when all weights are 0.
    """
    if preset not in PRESETS:
        raise ConfigError(f"no preset {sanitise(preset, 40)}; choose among {', '.join(PRESETS)}")
    merged = {name: PRESETS[preset].get(name, 0) / 100 for name in COMPONENT_NAMES}
    for name, micros in chosen.items():
        if name not in COMPONENT_NAMES:
            near = get_close_matches(name, COMPONENT_NAMES, n=1)
            hint = f"did you mean {near[0]}?" if near else f"choose among {', '.join(COMPONENT_NAMES)}"
            raise ConfigError(f"miner.weights.{sanitise(name, 40)}: no such score; {hint}")
        if micros < 0:
            raise ConfigError(f"miner.weights.{name}: must not be negative")
        merged[name] = micros / MICROS
    total = sum(merged.values())
    if total <= 0:
        raise ConfigError("miner.weights: all are zero; give at least one score a weight")
    return {name: weight / total for name, weight in merged.items()}


def busy_weights(weight: Mapping[str, float]) -> dict[str, float]:
    """Return the weights of ``activity`` and ``trading``: those of the components that follow from them, added up."""
    return {name: sum(weight[each] for each in components) for name, components in BUSY.items()}
