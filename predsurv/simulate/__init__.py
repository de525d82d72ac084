"""Local servers that speak a real venue's wire protocol over the generated exchange, faults included.

An adapter does not know that its venue can be simulated; the two agree on nothing but the wire, and on the hashes that
orders sign. Those are proved by the venues' own clients, which trade here unmodified.
"""
