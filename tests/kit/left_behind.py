"""Constants of the package that a test changed and left so: what runs after it in the same process meets them."""

import sys
from collections.abc import Mapping

Constants = Mapping[tuple[str, str], object]
"""Name of a module and of a constant in it -> its value."""


def constants() -> Constants:
    """Return the constants of every module of the package that is loaded."""
    return {
        (module, name): value
        for module, namespace in list(sys.modules.items())
        if module.startswith("predsurv.")
        for name, value in list(vars(namespace).items())
        if name.isupper()
    }


def changed(before: Constants, after: Constants) -> list[str]:
    """Return the full names of those that are another object in ``after``."""
    return [".".join(key) for key, value in before.items() if after.get(key, value) is not value]
