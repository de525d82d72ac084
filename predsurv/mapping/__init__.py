"""Which markets of two venues are the same contract: candidates, what each text says, how they relate, and the queue.

Everything but ``build`` and ``candidate_file`` is pure: texts in, relations out. Nothing here approves a pair; a
person does.
"""
