"""Pictures and films of worlds."""
