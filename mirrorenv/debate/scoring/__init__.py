"""What the answers of a debate are worth."""
