"""Feeds over streaming connections: codec protocol, connections, sessions, takeover."""
