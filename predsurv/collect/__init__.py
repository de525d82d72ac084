"""The job that records chosen markets and accounts for every second in which it could not.

Separate because it has to run for months, so nothing that mining or trading needs may weigh it down.
"""
