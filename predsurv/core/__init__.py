"""The values that cross every layer: ids, numbers, markets, events, orders, fees, errors.

They depend on nothing but the standard library and msgspec.
"""
