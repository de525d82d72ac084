"""Orders on the simulated Polymarket: keys, signatures, balances, matching, settlement and the user channel.

``credentials`` and ``order_entry`` check what is sent, ``order_desk`` matches it in the exchange's books,
``settlement`` takes trades from MATCHED to CONFIRMED or FAILED, ``user_channel`` tells of all that; ``trading_api`` has
the routes.
"""
