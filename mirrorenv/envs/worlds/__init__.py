"""The worlds: one file each, its drawing and its scripted players beside it."""
