"""Whether the configuration of a result is one that this version, or an older one, writes.

What a result is made of is read by the room of its kind, through the steps that read recorded runs;
nothing that it names is imported. A key that is known nowhere is refused by name: it would stand in
a result as if it had been obeyed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from mirrorenv.errors import ConfigError, ResultError
from mirrorenv.results.folders.schema import Result

__all__ = ["check_config"]


def check_config(result: Result) -> None:
    """Read the configuration of a result.

    Args:
        result: of any kind.

    Raises:
        ResultError: for a key that is known nowhere.
        ConfigError: for a value that no version writes.
    """
    known = _READERS[result.kind](result)
    if strange := sorted(result.config.keys() - known):
        raise ResultError(f"config.{strange[0][:80]} is nothing that a {result.kind} result says")


def _training(result: Result) -> Collection[str]:
    if "run" in result.config:  # scripted agents were not trained; suites ask for more
        from mirrorenv.rllib.recorded import settings_of

        settings_of(result)
    return ("run", "env_steps", "episodes", "seed")


def _tournament(result: Result) -> Collection[str]:
    from mirrorenv.debate.recorded import read_config

    return read_config(result.config, result.seeds[0]).config()


def _voices(result: Result) -> Collection[str]:
    from mirrorenv.preference.recorded import recorded_settings

    recorded_settings(result.config)  # an unknown one is refused there
    return result.config


def _command(result: Result) -> Collection[str]:
    if not isinstance(result.config.get("command", ""), str):
        raise ConfigError("config.command is a line to type")
    return ("arguments", "command")


_READERS: dict[str, Callable[[Result], Collection[str]]] = {
    "population": _training,
    "debate": _tournament,
    "preference": _voices,
    "table": _command,
}
