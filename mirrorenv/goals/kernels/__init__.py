"""What a level remembers of its lessons: one kernel, one file."""
