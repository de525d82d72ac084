"""The suite. A package of its own, so that no distribution that ships a `tests` folder can shadow it."""
