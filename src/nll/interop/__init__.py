"""Other libraries' counterparts of ours, imported when they are asked for."""
