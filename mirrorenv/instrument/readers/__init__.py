"""Readers: each looks at one part of what an agent did, one file each."""
