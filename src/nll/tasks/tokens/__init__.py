"""Logs of language models: their NLL, and comparisons of models by it."""
