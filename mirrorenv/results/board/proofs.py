"""How far results were proved, written down by whoever checked them, for whoever builds a board.

A proof belongs to one folder as it is: it is kept under the SHA-256 of the folder's manifest, which
names every byte of it. The file is the checker's own and is never looked for beside a result.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mirrorenv.errors import ResultError
from mirrorenv.results.folders.proof import Proved
from mirrorenv.results.runs.files import atomic_write_json, read_json
from mirrorenv.results.runs.manifest import MANIFEST, sha256_of

__all__ = ["proof_key", "read_proofs", "record_proofs"]

_SCHEMA = "mirrorenv-proofs"


def proof_key(folder: Path) -> str:
    """What a folder's proof is kept under."""
    return sha256_of(folder / MANIFEST)


def read_proofs(path: Path) -> dict[str, Proved]:
    """Levels by `proof_key`.

    Raises:
        ResultError: if it is no such file.
    """
    held = read_json(path)
    proved = held.get("proved")
    if held.get("schema") != _SCHEMA or not isinstance(proved, dict):
        raise ResultError(
            f"{path} holds no proofs; 'mirrorenv board check FOLDER --proofs FILE' makes some"
        )
    levels = {level.name.lower(): level for level in Proved}
    for key, name in proved.items():
        if not isinstance(name, str) or name not in levels:
            raise ResultError(f"{path}: {key[:12]}: levels are {', '.join(levels)}")
    return {key: levels[name] for key, name in proved.items()}


def record_proofs(path: Path, found: Mapping[Path, Proved]) -> None:
    """Add what was found of folders to a file of proofs; a higher level stays.

    Args:
        path: of the file; made if it is not there.
        found: level by folder.
    """
    held = read_proofs(path) if path.exists() else {}
    for folder, level in found.items():
        key = proof_key(folder)
        held[key] = max(level, held.get(key, level))
    named = {key: held[key].name.lower() for key in sorted(held)}
    atomic_write_json(path, {"schema": _SCHEMA, "version": 1, "proved": named})
