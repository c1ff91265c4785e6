"""A fuzzer for everything that nll reads: `make fuzz`, or `python -m tools.fuzz --help`."""
