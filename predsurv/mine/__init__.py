"""Mining: what happened in each market on a day, and how interesting that is.

Kept apart because it reads only files: a day can be mined while the next one is being recorded.
"""
