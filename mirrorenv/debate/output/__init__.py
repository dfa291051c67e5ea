"""What a debate leaves for others to read."""
