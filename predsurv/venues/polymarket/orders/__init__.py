"""Orders for Polymarket: amounts, signatures, requests, and what the venue's answers mean. Pure: nothing is sent here.

``amounts`` (what is signed for a price and a size) → ``signing`` (hash, signature) → ``requests`` (bytes) with the
headers of ``api_keys``; ``answers`` reads what comes back.
"""
