"""Adapters that translate between a venue and the vocabulary of ``predsurv.core``.

Only ``registry`` knows which adapters there are; nothing else imports one.
"""
