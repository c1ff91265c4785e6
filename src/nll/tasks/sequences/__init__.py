"""Sequences: Markov chains, n-grams and hidden Markov models."""
