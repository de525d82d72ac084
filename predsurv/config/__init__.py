"""Configuration: TOML, environment and flags in; frozen, checked structs in internal units out.

Kept apart because it is the only place that reads the environment: everything else is handed
the values it needs.
"""

from predsurv.config.loading import Loaded, Origin, load
from predsurv.config.schema import (
    Collector,
    Config,
    Kalshi,
    Mock,
    Polymarket,
    Risk,
    Storage,
    Trading,
)
from predsurv.config.secrets import Secret, read_secret
from predsurv.config.writing import as_rows, write_back

__all__ = [
    "Collector",
    "Config",
    "Kalshi",
    "Loaded",
    "Mock",
    "Origin",
    "Polymarket",
    "Risk",
    "Secret",
    "Storage",
    "Trading",
    "as_rows",
    "load",
    "read_secret",
    "write_back",
]
