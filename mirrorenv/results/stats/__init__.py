"""Statistics over seeds and episodes."""
