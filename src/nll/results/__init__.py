"""The records that tasks return, and how they print."""
