"""A tournament to start from."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from mirrorenv.debate.players.persona import VOICES
from mirrorenv.debate.settings import preset
from mirrorenv.errors import ConfigError
from mirrorenv.llm.personas import PERSONAS
from mirrorenv.llm.weights import PIP_LINE
from mirrorenv.plain_text import one_line
from mirrorenv.results.runs.files import atomic_write_text
from mirrorenv.results.runs.lock import one_at_a_time

__all__ = ["write_starter"]

_FILE = """\
# A tournament. Play it with:  mirrorenv debate run {path}
name = "{name}"
seed = 0
games = 20
{more}preset = "{preset}"

# Paths of agent cards, relative to this file. A card may be named twice.
# 'mirrorenv debate check CARD' tests one.
players = [
{players}
]
# judge = "agents/judge.toml"  # a neutral reader; without one, a style classifier reads

# Anything of the preset may be changed here; see docs/debate.md.
[settings]
"""
_TOGETHER = "games_at_once = 8  # a model in this process writes their texts in one batch\n"
_LOCAL = """\
# A small language model in this process, under a persona: no key, no server.
#   {pip}
name = "{name}"
player = "local"
reader = "likelihood"
persona = "{persona}"

[options]
temperature = {temperature}
"""
_CARD = """\
# A scripted player: no model, no key. For a model, see agents/endpoint-*.toml of the project.
name = "{name}"
player = "{kind}"
{options}"""


def write_starter(folder: Path, preset_name: str) -> Path:
    """Write `tournament.toml` and cards, enough for the preset: of a local model for `local`,
    else scripted ones.

    Returns:
        path of the tournament.

    Raises:
        ConfigError: if the folder is not empty, or somebody else is writing it.
    """
    count = preset(preset_name).num_players
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is not empty; choose a new folder, or delete what is in it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(folder, ConfigError):
        return _written(folder, preset_name, count)


def _written(folder: Path, preset_name: str, count: int) -> Path:
    (folder / "agents").mkdir(parents=True, exist_ok=True)
    if preset_name == "local":
        names = list(PERSONAS)
        for name, (persona, temperature) in PERSONAS.items():
            given = {"name": name, "persona": persona, "temperature": temperature, "pip": PIP_LINE}
            atomic_write_text(folder / "agents" / f"{name}.toml", _LOCAL.format(**given))
    else:
        names = _scripted_cards(folder, count)
    players = "\n".join(f'  "agents/{name}.toml",' for name in names)
    path = folder / "tournament.toml"
    name = re.sub(r"[^A-Za-z0-9_-]", "-", folder.resolve().name).strip("-_")
    more = _TOGETHER if preset_name == "local" else ""
    told = {
        "path": shlex.quote(one_line(path)),
        "name": (name or "debate")[:60],
        "preset": preset_name,
        "players": players,
        "more": more,
    }
    return atomic_write_text(path, _FILE.format(**told))


def _scripted_cards(folder: Path, count: int) -> list[str]:
    """Cards of scripted players, enough for games of `count`; their names."""
    cards = {
        voice: f'\n[options]\nvoice = "{voice}"\n' for voice in list(VOICES)[: max(2, count - 1)]
    }
    for name, options in cards.items():
        atomic_write_text(
            folder / "agents" / f"{name}.toml",
            _CARD.format(name=name, kind="persona", options=options),
        )
    for kind in ("copy-own", "random"):
        atomic_write_text(
            folder / "agents" / f"{kind}.toml", _CARD.format(name=kind, kind=kind, options="")
        )
    return [*cards, "copy-own", "random"]
