"""A whole exchange made of a seed: markets, agents, accounts, a feed that can misbehave, a broker.

Kept apart because it replaces the real venues wherever there is no network, with nothing else in
the program noticing.
"""

from predsurv.venues.mock.venue import MockVenue

__all__ = ["MockVenue"]
