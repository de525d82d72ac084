"""Long proofs of what the product promises: faults, chaos, fuzzing, rotations and soak.

``python -m tests.proofs`` lists them; ``python -m tests.proofs.NAME`` runs one.
"""
