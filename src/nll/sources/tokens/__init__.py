"""Logs of language models: documents of tokens with log-probabilities, a module a format."""
