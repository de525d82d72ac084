"""The folder that a run leaves behind, and the runs that were made."""
