"""The window: where exact sums keep their digits.

An exact sum is a row of six 64-bit integers, the words, that count multiples of 2**12, 2**-28, 2**-68, 2**-108,
2**-148 and 2**-188. A double adds to them without error if it is 0 or lies in [2**-136, 2**50): its last bit
is then worth at least 2**-188. What lies outside goes into Python integers (`exact.py`).
"""

from __future__ import annotations

UNITS = (12, -28, -68, -108, -148, -188)
WORDS = len(UNITS)
STEP = 40
LOWEST, HIGHEST = 2.0**-136, 2.0**50

# A row loss whose square also fits.
LOWEST_ROOT, HIGHEST_ROOT = 2.0**-68, 2.0**25

# One addition changes a word by less than 2**41, so an int64 holds 2**22 of them before a carry is due.
ADDITIONS_BEFORE_CARRY = 2**22
