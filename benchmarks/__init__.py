"""Benchmarks of nll against its peers and against reading the bytes: `python -m benchmarks [names]`."""
