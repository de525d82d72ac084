"""The network and the clock: HTTP, WebSocket, limits and delays; knows no venue.

Kept apart so that every byte from outside enters through two small files with explicit bounds.
"""
