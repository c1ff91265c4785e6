"""Scores of files as they arrive: each once, by windows of time, against a baseline."""
