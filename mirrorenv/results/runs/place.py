"""Whether a run can live at a place: said before anything slow is loaded."""

from __future__ import annotations

import os
from pathlib import Path

from mirrorenv.errors import RunFolderError
from mirrorenv.results.runs.run_folder import RUN, RunFolder

__all__ = ["run_at"]


def run_at(path: Path) -> RunFolder | None:
    """The run that lives in a folder; None where one could begin.

    Args:
        path: as given by `--run`.

    Raises:
        RunFolderError: if it is a file, lies where nothing may be written, or is a damaged run.
    """
    if path.exists() and not path.is_dir():
        raise RunFolderError(f"{path} is a file; a run needs a folder: choose a new or empty one")
    if (path / RUN).is_file():
        return RunFolder.open(path)
    above = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not above.is_dir():
        raise RunFolderError(f"{path} cannot be a folder: {above} is a file; choose another place")
    if not os.access(above, os.W_OK):
        raise RunFolderError(f"{above} cannot be written to; choose a folder you may write to")
    return None
