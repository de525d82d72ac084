"""Trading strategies, one small pure class per file with its helpers, and their registry."""
