"""The loops: a family's scalar formulas become compiled passes over batches."""
