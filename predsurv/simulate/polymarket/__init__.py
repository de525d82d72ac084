"""A local Polymarket: Gamma, CLOB and the market channel over the generated exchange."""
