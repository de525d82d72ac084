"""What survives a restart or damage: checkpoints, the coverage index, coverage repair."""
