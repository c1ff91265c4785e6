"""Arithmetic without statistics: elementary and special functions, exact sums, and how formulas compile."""
