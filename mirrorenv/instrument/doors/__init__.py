"""Doors: the files that logs come in, one kind a file; each gives columns of rows."""
