"""Long proofs of what the product promises: faults, chaos, fuzzing, rotations and soak.

Run one with ``python -m tests.proofs.NAME``.
"""
