"""The accounts that a run keeps beside its last evaluation: `account.json`.

A run folder may come from a stranger: the file is bounded, and parts are of their types or it is
refused.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter

from mirrorenv.envs.account import Account
from mirrorenv.errors import RunFolderError
from mirrorenv.results.runs.files import atomic_write_text, parse_json
from mirrorenv.results.runs.run_folder import ACCOUNT

__all__ = ["read_accounts", "write_accounts"]

_MOST = 12
_LARGEST = 4 << 20  # bytes of the file


def write_accounts(folder: Path, told: Sequence[Account]) -> None:
    """Put accounts into a run folder, in place of earlier ones."""
    atomic_write_text(folder / ACCOUNT, json.dumps([asdict(one) for one in told], indent=1))


def read_accounts(folder: Path) -> list[Account]:
    """The accounts of a run folder; none if there is no such file.

    Raises:
        RunFolderError: if the file is damaged.
    """
    path = folder / ACCOUNT
    if not path.is_file():
        return []
    if path.stat().st_size > _LARGEST:
        raise RunFolderError(f"{path} is larger than {_LARGEST} bytes: delete it")
    try:
        found = parse_json(path.read_text(encoding="utf-8"))
        return TypeAdapter(list[Account]).validate_python(found)[:_MOST]
    except ValueError as error:
        raise RunFolderError(
            f"{path} is damaged ({type(error).__name__}): delete it, and the report is written "
            "without"
        ) from error
