"""The mock venue: a whole exchange made of a seed, a feed that can be made to fail, and a broker."""

from predsurv.venues.mock.venue import MockVenue

__all__ = ["MockVenue"]
