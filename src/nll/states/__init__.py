"""What passes leave behind, and how two of it merge."""
