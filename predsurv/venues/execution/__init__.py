"""Real orders at a venue: sent once each, followed to their end, and compared with what the venue says. Any venue.

What is particular to a venue is behind ``gateway.ExecutionGateway`` and ``gateway.AccountReader``.
"""
