"""What users ask for: each task says what a pass computes, over any source, on any engine."""
