"""Risk: limits, pre-trade checks, and the gate that turns intents into approved commands."""
