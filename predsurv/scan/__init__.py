"""Scanning: which markets exist, written down as the day's universe.

Kept apart because everything else starts from that file and never asks a venue for its catalogue again.
"""
