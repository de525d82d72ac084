"""The books that strategies and risk checks see: primary, complement, less what we consumed."""
