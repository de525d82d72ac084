"""Which instruments to record in the coming period: candidates, planner, resource estimate; pure."""
