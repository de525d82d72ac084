"""What a run earned and risked: folds over journal entries in integers, ratios only where figures are shown."""
