"""A local Kalshi: the REST API and WebSocket channels over any venue, faults included."""
