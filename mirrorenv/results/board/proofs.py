"""How far results were proved, written down by whoever checked them, for whoever builds a board.

A proof belongs to one folder as it is: it is kept under the SHA-256 of the folder's manifest, which
names every byte of it. The file is the checker's own and is never looked for beside a result.

That a folder is true says nothing of the row it claims to be of: only `mirrorenv board check` holds
it to its row, and notes that it did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mirrorenv.errors import ResultError
from mirrorenv.results.folders.proof import Proved
from mirrorenv.results.folders.schema import Result
from mirrorenv.results.runs.files import atomic_write_json, read_json
from mirrorenv.results.runs.lock import one_at_a_time
from mirrorenv.results.runs.manifest import MANIFEST, sha256_of

__all__ = ["Noted", "proof_key", "proved_as", "read_proofs", "record_proofs"]

_SCHEMA = "mirrorenv-proofs"
_LEVELS = {level.name.lower(): level for level in Proved}


@dataclass(frozen=True)
class Noted:
    """What was found of one folder.

    Attributes:
        level: how far it was proved.
        of_its_row: whether it was held to the row of the suite that it names.
    """

    level: Proved
    of_its_row: bool = False


def proof_key(folder: Path) -> str:
    """What a folder's proof is kept under."""
    return sha256_of(folder / MANIFEST)


def proved_as(folder: Path, result: Result, proofs: Mapping[str, Noted]) -> Proved:
    """How far a folder is proved to be what it says.

    Args:
        folder: of the result.
        result: what it says.
        proofs: from `read_proofs`.
    """
    noted = proofs.get(proof_key(folder)) if proofs else None
    if noted is None or (result.suite is not None and not noted.of_its_row):
        return Proved.FILES
    return noted.level


def read_proofs(path: Path) -> dict[str, Noted]:
    """What was noted, by `proof_key`.

    Raises:
        ResultError: if it is no such file.
    """
    held = read_json(path)
    proved = held.get("proved")
    if held.get("schema") != _SCHEMA or not isinstance(proved, dict):
        raise ResultError(
            f"{path} holds no proofs; 'mirrorenv board check FOLDER --proofs FILE' makes some"
        )
    return {key: _noted(path, key, one) for key, one in proved.items()}


def _noted(path: Path, key: str, held: object) -> Noted:
    level = held.get("level") if isinstance(held, dict) else None
    of_its_row = held.get("of_its_row") if isinstance(held, dict) else None
    if not isinstance(level, str) or level not in _LEVELS or not isinstance(of_its_row, bool):
        raise ResultError(
            f"{path}: {key[:12]!a}: needs of_its_row and a level, one of {', '.join(_LEVELS)}"
        )
    return Noted(_LEVELS[level], of_its_row)


def record_proofs(path: Path, found: Mapping[Path, Proved], *, of_their_rows: bool) -> None:
    """Add what was found of folders to a file of proofs; what was noted before stays.

    Args:
        path: of the file; made if it is not there.
        found: level by folder.
        of_their_rows: whether they were held to the rows that they name.
    """
    with one_at_a_time(path, ResultError, seconds=30):
        held = read_proofs(path) if path.exists() else {}
        for folder, level in found.items():
            key = proof_key(folder)
            before = held.get(key, Noted(level))
            held[key] = Noted(max(level, before.level), of_their_rows or before.of_its_row)
        noted = {
            key: {"level": held[key].level.name.lower(), "of_its_row": held[key].of_its_row}
            for key in sorted(held)
        }
        atomic_write_json(path, {"schema": _SCHEMA, "version": 1, "proved": noted})
