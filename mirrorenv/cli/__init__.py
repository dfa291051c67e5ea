"""The command line: thin commands over the rooms, one file each."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line with the words of `sys.argv`, and leave with its exit code."""
    from mirrorenv.cli.app import main as run  # loads every command: only who runs one pays for it

    run()
