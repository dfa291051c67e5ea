"""A tournament to start from."""

from __future__ import annotations

from pathlib import Path

from mirrorenv.debate.players.persona import VOICES
from mirrorenv.debate.settings import preset
from mirrorenv.errors import ConfigError
from mirrorenv.results.files import atomic_write_text

__all__ = ["write_starter"]

_FILE = """\
# A tournament. Play it with:  mirrorenv debate run {path}
name = "{name}"
seed = 0
games = 20
preset = "{preset}"

# Paths of agent cards, relative to this file. A card may be named twice. 'mirrorenv debate check CARD' tests one.
players = [
{players}
]
# judge = "agents/judge.toml"  # a neutral reader; without one, a style classifier reads

# Anything of the preset may be changed here; see docs/debate.md.
[settings]
"""
_CARD = """\
# A scripted player: no model, no key. For a model, see agents/endpoint-*.toml of the project.
name = "{name}"
player = "{kind}"
{options}"""


def write_starter(folder: Path, preset_name: str) -> Path:
    """Write ``tournament.toml`` and the cards of scripted players, enough for the preset.

    Returns:
        path of the tournament.

    Raises:
        ConfigError: if the folder is not empty.
    """
    count = preset(preset_name).num_players
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is not empty; choose a new folder, or delete what is in it")
    (folder / "agents").mkdir(parents=True, exist_ok=True)
    cards = {voice: f'\n[options]\nvoice = "{voice}"\n' for voice in list(VOICES)[: max(2, count - 1)]}
    for name, options in cards.items():
        atomic_write_text(folder / "agents" / f"{name}.toml", _CARD.format(name=name, kind="persona", options=options))
    for kind in ("copy-own", "random"):
        atomic_write_text(folder / "agents" / f"{kind}.toml", _CARD.format(name=kind, kind=kind, options=""))
    players = "\n".join(f'  "agents/{name}.toml",' for name in [*cards, "copy-own", "random"])
    path = folder / "tournament.toml"
    name = "".join(mark if mark.isalnum() or mark in "-_" else "-" for mark in folder.resolve().name).strip("-_")
    return atomic_write_text(
        path, _FILE.format(path=path, name=(name or "debate")[:60], preset=preset_name, players=players)
    )
