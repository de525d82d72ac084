"""The Polymarket adapter: Gamma and CLOB catalogue, market and user streams, signed orders.

Separate so that condition ids, token ids and mirrored books stay words of this package alone.
"""
