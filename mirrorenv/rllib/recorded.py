"""The settings of the run that a result is of, whatever version wrote them."""

from __future__ import annotations

from collections.abc import Mapping

from mirrorenv.errors import ResultError
from mirrorenv.population.migration import read_run
from mirrorenv.results.folders.schema import Result
from mirrorenv.rllib.settings import RunSettings

__all__ = ["settings_of"]


def settings_of(result: Result) -> RunSettings:
    """The settings of a result's run; what the result says of world and seed must be theirs.

    Args:
        result: of kind `population`, with a run in its configuration.

    Raises:
        ConfigError: for a setting that no version knows, or a value that it does not take.
        ResultError: if they are of another run than the result.
    """
    run = result.config.get("run")
    if not isinstance(run, Mapping):
        raise ResultError("config.run does not say the settings of the run")
    settings = RunSettings.checked(read_run(run), "config.run")
    if (settings.world, settings.world_options) != (result.world, result.world_options):
        raise ResultError("config.run is of another world than the result")
    if (settings.seed,) != result.seeds:
        raise ResultError(f"config.run has seed {settings.seed}, and the result {result.seeds}")
    return settings
