"""The Polymarket adapter: Gamma catalogue, public market stream, verification of its books against hashes and REST."""
