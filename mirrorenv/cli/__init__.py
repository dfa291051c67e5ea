"""The command line: thin commands over the rooms, one file each."""
