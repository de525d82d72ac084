"""The books that strategies and risk checks see: trusted, complemented, less what we consumed."""
