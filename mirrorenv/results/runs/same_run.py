"""Whether the run in a folder is the one that is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirrorenv.errors import RunFolderError
from mirrorenv.results.runs.json_values import first_difference

__all__ = ["Identity"]


@dataclass(frozen=True)
class Identity:
    """What makes a run this one and no other.

    Attributes:
        config: the resolved configuration, as JSON.
        seed: of the run.
    """

    config: Mapping[str, Any]
    seed: Any

    def difference(
        self, wanted: Identity, may_differ: Iterable[str] = ()
    ) -> tuple[str, Any, Any] | None:
        """The first key that differs, with its value here and there; None if it is the same run.

        Args:
            wanted: another run.
            may_differ: dotted keys of the configuration that are not compared.
        """
        world = first_difference(
            {"world": self.config.get("world")}, {"world": wanted.config.get("world")}
        )
        if world is not None:  # whatever else differs follows from it
            return world
        if self.seed != wanted.seed:
            return "seed", self.seed, wanted.seed
        return first_difference(self.config, wanted.config, may_differ)

    def refuse_other(self, path: Path, wanted: Identity, may_differ: Iterable[str] = ()) -> None:
        """Let only the same run go on.

        Args:
            path: the folder of this one, for the message.
            wanted: the run that is asked for.
            may_differ: dotted keys of the configuration that a resumed run may change.

        Raises:
            RunFolderError: for another run; the message names the first difference.
        """
        difference = self.difference(wanted, may_differ)
        if difference is not None:
            key, before, after = difference
            raise RunFolderError(
                f"{path} holds a run with {key} = {before!r}, not {after!r}; "
                "resume with the old value or choose another folder"
            )
