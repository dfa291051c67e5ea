"""Run folders: what a run leaves on disk, one writer, atomic files."""
