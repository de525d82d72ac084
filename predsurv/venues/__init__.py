"""Adapters that translate between a venue and the vocabulary of `predsurv.core`.

Separate so that a venue is a few files that nothing else imports: only the registry knows which there are.
"""
