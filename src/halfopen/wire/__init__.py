"""Bytes to values and back. No state, no time."""
