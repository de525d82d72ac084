"""Trading with real money: what allows it, how our account is kept equal to the venue's, and how a run ends."""
