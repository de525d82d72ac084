"""Values that everything else speaks in: ids, numbers, markets, events, orders, fees, errors.

Kept apart because these are the only types that cross every layer, so they may depend on nothing
but the standard library and msgspec.
"""
