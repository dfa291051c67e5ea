"""Answers that are taken from a log instead of being paid for: texts that are kept, and answers to
the very same request.

A row that was taken says so under `taken` and costs nothing:

| taken | what |
|---|---|
| `text` | what the base of a set of arms wrote in this call, whatever this arm would have asked |
| `answer` | what a server answered to the same request, word for word, in another folder |
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

from mirrorenv.debate.log import CALLS, CallLog, answered_rows, row_at
from mirrorenv.debate.players import Player
from mirrorenv.debate.views import View
from mirrorenv.errors import RunFolderError

__all__ = ["KeptTexts", "SameRequests", "Source"]


class Source(Protocol):
    """Where a reply may be taken from."""

    def find(self, player: Player, view: View, game: int) -> dict[str, Any] | None:
        """What the log would hold of this call, `taken` and `reply`; None if it is not there.

        Args:
            player: that would be asked.
            view: what it would be given.
            game: number of the game.
        """
        ...


class KeptTexts:
    """The texts of a base: an arm changes how they are read and not how they are written.

    Args:
        log: of the base.
        phases: whose texts are kept, e.g. `{"speak"}`.
    """

    def __init__(self, log: CallLog, phases: Collection[str]) -> None:
        self.log = log
        self.phases = phases
        self._games: dict[int, dict[tuple[str, int], dict[str, Any]]] = {}

    def find(self, player: Player, view: View, game: int) -> dict[str, Any] | None:
        """The base's words, without its request and usage, which its own log holds.

        Args:
            player: that would be asked.
            view: what it would be given.
            game: number of the game.

        Raises:
            RunFolderError: if the base has not played this.
        """
        if view.phase not in self.phases:
            return None
        if game not in self._games:
            self._games = {**dict(list(self._games.items())[-64:]), game: self.log.game(game)}
        row = self._games[game].get((view.key, view.sample))
        if row is None:
            raise RunFolderError(f"{self.log.path} holds no {view.key}: play the base first")
        kept: dict[str, Any] = {"request": None, "response": None, "usage": {}, "attempts": []}
        return {"taken": "text", "reply": {**row["reply"], **kept}}


class SameRequests:
    """Answers of other folders to the very same request: address, model, words and options.

    Sixteen bytes of each request and its place are held, no words.

    Args:
        folders: run folders of tournaments.

    Raises:
        RunFolderError: if one holds no log, or a damaged one.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self._places: dict[bytes, tuple[Path, int]] = {}
        for folder in folders:
            path = folder / CALLS
            if not path.exists():
                raise RunFolderError(f"{folder} holds no {CALLS}, so nothing can be taken from it")
            for place, row in answered_rows(path):
                request = row["reply"].get("request")
                if request and row["reply"].get("stop") != "refused":
                    self._places.setdefault(_digest(request), (path, place))

    def __len__(self) -> int:
        return len(self._places)

    def find(self, player: Player, view: View, game: int) -> dict[str, Any] | None:
        """What was answered; None for a player that sends no requests.

        Args:
            player: that would be asked.
            view: what it would be given.
            game: number of the game.
        """
        question = getattr(player, "question", None)
        if question is None or not self._places:
            return None
        found = self._places.get(_digest(question(view)))
        if found is None:
            return None
        path, place = found
        with path.open("rb") as file:
            return {"taken": "answer", "reply": row_at(file, place)["reply"]}


def _digest(request: Mapping[str, Any]) -> bytes:
    words = json.dumps(request, sort_keys=True).encode()
    return blake2b(words, digest_size=16).digest()
