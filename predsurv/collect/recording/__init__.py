"""Events to records: coverage, reducer, snapshots and checkpoints of one venue; pure."""
