"""Mining: statistics of each recorded instrument and its score; reads files only."""
