"""The Kalshi adapter: catalogue, sequenced WebSocket feed, polled feed, signed requests."""
