"""Counts of bytes that processes tell each other, round by round."""
