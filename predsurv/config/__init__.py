"""Configuration: TOML, environment and flags in; frozen, checked structs in internal units out.

No other package reads the environment: each gets the values it needs as arguments.
"""

from predsurv.config.loading import LoadedConfig, Origin, load
from predsurv.config.schema import (
    CollectorConfig,
    Config,
    KalshiConfig,
    MockConfig,
    PolymarketConfig,
    StorageConfig,
    VenuesConfig,
)
from predsurv.config.secrets import Secret, read_secret
from predsurv.config.writing import as_rows, write_back

__all__ = [
    "CollectorConfig",
    "Config",
    "KalshiConfig",
    "LoadedConfig",
    "MockConfig",
    "Origin",
    "PolymarketConfig",
    "Secret",
    "StorageConfig",
    "VenuesConfig",
    "as_rows",
    "load",
    "read_secret",
    "write_back",
]
