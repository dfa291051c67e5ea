"""The live mirror: one moves, and sees what moves along."""
