"""What a run was made with: package versions and the commit of the source, without importing
anything heavy."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import mirrorenv

__all__ = ["git_state", "installed_versions"]

PACKAGES = (
    "numpy",
    "scipy",
    "gymnasium",
    "pettingzoo",
    "torch",
    "ray",
    "stable-baselines3",
    "safetensors",
)


def installed_versions() -> dict[str, str]:
    """Versions of Python, this package and what it may compute with; a package that is not
    installed is left out."""
    found = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "mirrorenv": mirrorenv.__version__,
    }
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _git(*arguments: str) -> str | None:
    source = Path(mirrorenv.__file__).resolve().parent
    try:
        done = subprocess.run(
            ["git", "-C", str(source), *arguments], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def git_state() -> dict[str, Any] | None:
    """Commit of the package's source and whether it was changed since: `{"commit": str, "dirty":
    bool}`.

    None outside a git checkout, and for a package installed inside somebody else's checkout, whose
    commit would say nothing about this source.
    """
    if not _git("ls-files", "__init__.py"):
        return None
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--", ".")
    if not commit or changes is None:
        return None
    return {"commit": commit, "dirty": bool(changes)}
