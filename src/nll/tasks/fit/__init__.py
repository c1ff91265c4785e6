"""Maximum likelihood: the problem, its coordinates, the search, and the proof that it ended at a maximum."""
