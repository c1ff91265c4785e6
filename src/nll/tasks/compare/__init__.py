"""Comparing models on the same rows: tests, intervals, and what they need to be valid."""
