"""One recording in several processes: how it is divided among them, and how their results are one again."""
