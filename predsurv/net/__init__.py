"""The network and the clock: HTTP, WebSocket, rate limits and delays; knows no venue.

Every byte from outside enters through ``http.py`` and ``ws.py``, with explicit bounds.
"""
