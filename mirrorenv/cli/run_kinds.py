"""The kinds of run folders: how each writes its page and its result folder.

A run folder says in its settings of which kind it is. A new kind is one entry of :data:`KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirrorenv.cli import next_steps
from mirrorenv.cli._common import COMMON_DRAWS, require_all, say
from mirrorenv.errors import ConfigError
from mirrorenv.results.folders.tables import Form

__all__ = ["KINDS", "ExportOptions", "RunKind", "kind_of"]


@dataclass(frozen=True)
class ExportOptions:
    """What `mirrorenv results export` was given.

    Attributes:
        target: the new result folder.
        episodes: fresh episodes of a trained population.
        seed: of these episodes.
        condition: name of its line on a leaderboard.
        over_time: keep the evidence after every step.
        form: of the tables.
        overwrite: replace a result that is already there.
        world: the run's world, if it is `package.module:Env`.
    """

    target: Path
    episodes: int = 256
    seed: int = 1_000_000
    condition: str | None = None
    over_time: bool = True
    form: Form = "auto"
    overwrite: bool = False
    world: str | None = None

    def refuse(self, kind: str, *names: str) -> None:
        """Refuse options that mean nothing to a kind of run.

        Args:
            kind: what the run is.
            *names: attributes that must have their default values.

        Raises:
            ConfigError: if one has another.
        """
        for name in names:
            if getattr(self, name) != getattr(type(self), name):
                option = "small" if name == "over_time" else name
                raise ConfigError(f"--{option} is for training runs, and this is {kind}")


@dataclass(frozen=True)
class RunKind:
    """A kind of run folder.

    Attributes:
        name: what messages call it.
        holds: whether settings are those of such a run.
        write_page: writes the page of a run and gives its path; the second argument is a run with
            mirror weight 0 to draw beside it.
        following: commands to type after the page, given the run, its settings and the run with
            weight 0.
        export: writes the result folder of a run.
        megabytes: of memory that this may take: the run may be somebody else's.
    """

    name: str
    holds: Callable[[Mapping[str, Any]], bool]
    write_page: Callable[[Path, Path | None], Path]
    following: Callable[[Path, Mapping[str, Any], Path | None], list[str]]
    export: Callable[[Path, ExportOptions], None]
    megabytes: int = 1000


def kind_of(config: Mapping[str, Any]) -> RunKind:
    """The kind of a run folder with these settings."""
    return next(kind for kind in KINDS if kind.holds(config))


def _alone(kind: str, run: Path, weight0: Path | None) -> None:
    if weight0 is not None:
        raise ConfigError(f"--weight0 is drawn beside a training run, and {run} is {kind}")


# -- self versus other -----------------------------------------------------------------------------


def _preference_page(run: Path, weight0: Path | None) -> Path:
    from mirrorenv.preference.report import write_report

    _alone("self versus other", run, weight0)
    return write_report(run)


def _export_preference(run: Path, options: ExportOptions) -> None:
    require_all("trl", "torch", "transformers", "peft", "trl", "safetensors")
    from mirrorenv.preference.export import export_preference

    options.refuse("a run of self versus other", "episodes", "seed", "over_time", "world")
    export_preference(
        run,
        options.target,
        condition=options.condition,
        form=options.form,
        overwrite=options.overwrite,
    )


# -- tournaments of the debate ---------------------------------------------------------------------


def _debate_page(run: Path, weight0: Path | None) -> Path:
    from mirrorenv.debate.output.view import write_pages
    from mirrorenv.debate.scoring.results import open_results

    _alone("a debate tournament", run, weight0)
    return write_pages(open_results(run))


def _export_debate(run: Path, options: ExportOptions) -> None:
    from mirrorenv.debate.output.result import export_tournament
    from mirrorenv.debate.scoring.results import open_results

    options.refuse("a debate tournament", "episodes", "seed", "condition", "over_time", "world")
    export_tournament(
        open_results(run), options.target, form=options.form, overwrite=options.overwrite
    )


# -- populations trained in a world ----------------------------------------------------------------


def _training_page(run: Path, weight0: Path | None) -> Path:
    from mirrorenv.results.report.report import write_report

    return write_report(run, weight0)


def _after_training(run: Path, config: Mapping[str, Any], weight0: Path | None) -> list[str]:
    world = str(config.get("world", ""))
    mirror = config.get("mirror")
    compared = weight0 or (isinstance(mirror, dict) and mirror.get("weight") == 0)
    return [next_steps.evaluate(run, world)] if compared else next_steps.control(run, world)


def _export_training(run: Path, options: ExportOptions) -> None:
    require_all("train", "torch", "safetensors")
    from mirrorenv.population.export import export_run
    from mirrorenv.population.migration import read_draws
    from mirrorenv.population.weight_file import LARGEST
    from mirrorenv.results.folders.schema import read_result
    from mirrorenv.results.runs.run_folder import RunFolder

    if read_draws(RunFolder.open(run).config) == "common":
        say(COMMON_DRAWS)
    export_run(
        run,
        options.target,
        episodes=options.episodes,
        seed=options.seed,
        condition=options.condition,
        over_time=options.over_time,
        world=options.world,
        form=options.form,
        overwrite=options.overwrite,
    )
    held = read_result(options.target).weights
    if held is not None and not held.held:
        say(
            f"The weights ({held.bytes:,} bytes) are named by their hash: a result holds less than "
            f"{LARGEST:,}. Who verifies it can train it again (--retrain), and not play it again"
        )


def _after_words(run: Path, config: Mapping[str, Any], weight0: Path | None) -> list[str]:
    return [next_steps.export(run)]


KINDS = (
    RunKind(
        name="self versus other",
        holds=lambda config: config.get("room") == "preference",
        write_page=_preference_page,
        following=_after_words,
        export=_export_preference,
        megabytes=8000,  # a language model is loaded
    ),
    RunKind(
        name="debate tournament",
        holds=lambda config: config.get("what") == "debate tournament",
        write_page=_debate_page,
        following=_after_words,
        export=_export_debate,
    ),
    RunKind(
        name="training",
        holds=lambda config: True,  # whatever names no other kind
        write_page=_training_page,
        following=_after_training,
        export=_export_training,
    ),
)
"""In the order in which they are asked."""
