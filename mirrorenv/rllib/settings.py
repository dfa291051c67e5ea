"""The configuration of a training run: typed, resolved, and the same for the command line, files
and Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, field_validator

from mirrorenv.envs.adhoc import is_adhoc
from mirrorenv.envs.registry import make_batch, spec, training_settings
from mirrorenv.errors import ConfigError
from mirrorenv.named_code import code_in, name_code, unnamed_code
from mirrorenv.population.migration import VERSION, is_recorded, read_run
from mirrorenv.population.settings import (
    Draws,
    LearningSettings,
    MirrorSettings,
    PopulationSettings,
)
from mirrorenv.strict import StrictModel, gather, merged

__all__ = [
    "EvaluationSettings",
    "ResourceSettings",
    "RunSettings",
    "check_world",
    "config_of",
    "config_today",
    "default_run_path",
    "load_settings",
]


class EvaluationSettings(StrictModel):
    """How often and how well the population is measured. Measuring plays extra episodes, which are
    not trained on."""

    checkpoints: int = Field(default=10, ge=1)
    """Evaluations spread over the run, beside the one before training."""
    episodes: int = Field(default=256, ge=8)
    """Held-out episodes in each evaluation."""
    episodes_before_last: int | None = Field(default=None, ge=0)
    """Held-out episodes in every evaluation but the last, at most as many as in that; 0: as many.
    Without a number, a sixteenth of the episodes trained on since the evaluation before, at least
    16: a curve needs fewer than a result does, and measuring stays small beside training."""
    draws: Draws = "own"
    """What agents draw in held-out episodes: `own` follows from the seed; `common` is the same
    under every seed, so that runs are compared on common random numbers, as in all runs recorded
    before there was a choice. In a world without chance of its own, `common` plays the same
    episodes whatever seed is given."""
    baselines: bool = True
    """Whether the last evaluation also runs the baseline observers."""

    @field_validator("episodes_before_last")
    @classmethod
    def _enough(cls, value: int | None) -> int | None:
        if value and value < 8:
            raise ValueError(
                "fewer than 8 episodes have no interval worth drawing; 0 takes them all"
            )
        return value


class ResourceSettings(StrictModel):
    """Where the same run is computed."""

    env_runners: int = Field(default=0, ge=0)
    """Ray actors that sample; 0 samples in the driver."""
    learners: int = Field(default=0, ge=0)
    """Ray actors that learn; 0 learns in the driver."""
    gpus_per_learner: float = Field(default=0, ge=0)
    """GPUs of each learner."""
    step_timeout: float = Field(default=300, ge=0)
    """Seconds that one reset or step of a batch of worlds may take before the run stops; 0 waits
    for ever."""
    sample_timeout: float = Field(default=3600, gt=0)
    """Seconds to wait for the env runners of one iteration; who has not answered by then counts as
    lost."""
    address: str = "local"
    """Ray cluster to use: "local" starts one in this process, "auto" or an address joins one."""


class RunSettings(StrictModel):
    """Everything that decides a run's result, and where it is computed."""

    otherwise: ClassVar[str] = "An argument of the world is typed world_options.{name}=..."

    world: str
    """Id of a registered world, for example mirrorenv/ants-v0, or package.module:Env for a
    PettingZoo environment."""
    world_options: dict[str, Any] = Field(default_factory=dict)
    """Arguments of the world."""
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    """Seed of weights, worlds, choices and shuffles."""
    total_steps: int = Field(default=150_000, ge=1)
    """Environment steps to train for (joint steps, not agent steps), in whole iterations. These are
    planned with episodes of full length: where episodes end early, fewer steps are taken."""
    validate_world: bool = True
    """Look at everything the world answers, in every step: shapes, finite numbers inside the space,
    no one missing. Environments of others are looked at in any case."""
    mirror: MirrorSettings = MirrorSettings()
    population: PopulationSettings = PopulationSettings()
    learning: LearningSettings = LearningSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    resources: ResourceSettings = ResourceSettings()


def load_settings(
    world: str | None = None,
    files: Iterable[str | Path] = (),
    overrides: Iterable[str] = (),
    given: Mapping[str, Any] | None = None,
) -> RunSettings:
    """Defaults, then what the world begins with, then files in order, then the world argument and
    what is given, then `a.b=c` overrides.

    Args:
        world: id of the world; may be missing if a file names it.
        files: TOML, YAML or JSON files with any part of `RunSettings`.
        overrides: strings such as `"mirror.weight=0.5"`; values are read as YAML.
        given: nested values.

    Raises:
        ConfigError: for an unreadable file, an unknown key (with the known and the closest ones) or
            a wrong value.
    """
    given = {**(given or {}), **({} if world is None else {"world": world})}
    overrides = tuple(overrides)
    for typed in (world or "", *overrides):
        name_code(typed)
    values = gather(files, overrides, given, example="mirror.weight=0.5", as_read=_as_read)
    if "world" not in values:
        raise ConfigError("no world given: name one, for example mirrorenv train mirrorenv/ants-v0")
    return RunSettings.checked(merged(training_settings(str(values["world"])), values))


def check_world(settings: RunSettings) -> None:
    """Whether there is such a world: found out without torch and Ray. A registered one is also made
    once; of another's code it is found out that it can be imported, and the rest by the run.

    Raises:
        UnknownNameError: if no world has this id.
        ConfigError: if an option is unknown or wrong.
        WorldError: if there is no such code.
    """
    if is_adhoc(settings.world):
        spec(settings.world, **settings.world_options).load()
    else:
        make_batch(settings.world, 1, **settings.world_options)


def default_run_path(settings: RunSettings) -> Path:
    """runs/<world>-seed<seed>, the same for the same command."""
    name = settings.world.split("/")[-1].replace(":", ".")  # no file system minds a dot
    return Path("runs") / f"{name}-seed{settings.seed}"


def config_of(settings: RunSettings) -> dict[str, Any]:
    """What `config.json` of a run folder holds."""
    return {"version": VERSION, **settings.model_dump(mode="json")}


def config_today(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """A recorded configuration as today's run would write it; what is none stays as it is.

    Args:
        recorded: from `config.json` of a run folder, of any version.
    """
    try:
        return config_of(RunSettings.checked(read_run(recorded)))
    except ConfigError:
        return dict(recorded)


def _as_read(path: Path, values: dict[str, Any]) -> dict[str, Any]:
    """Settings that a run wrote, of any version, by today's names; a person's file as it is.

    Raises:
        ConfigError: if a run's settings, which may come from anybody, name code that the user has
            not.
    """
    if not is_recorded(path, values):
        for name in code_in(values):
            name_code(name)
        return values
    if unnamed := unnamed_code(values):
        raise ConfigError(
            f"{path} was written by a run and names code to run: {', '.join(unnamed)}. It may come "
            "from anybody, so name it yourself if that is the code you mean: mirrorenv train WORLD "
            f"--config {path}; what is no world, with --set, for example population.actor=..."
        )
    return read_run(values)
