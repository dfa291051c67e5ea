"""The console script `rllib`: Ray's own command, which it dropped, with the same options, for every
world here.

Exit codes: 0 done, 1 what was asked for could not be done (the message says why), 2 wrong usage,
130 interrupted.
"""

from __future__ import annotations

import json
import os
import shlex
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table

from mirrorenv.entry import add_commands, help_of, run_command
from mirrorenv.errors import ConfigError, MirrorError, MissingExtraError, require
from mirrorenv.rllib.command import options as o
from mirrorenv.terminal import PlainConsole, print_next

if TYPE_CHECKING:
    from mirrorenv.rllib.command.experiments import Experiment
    from mirrorenv.rllib.command.trials import TrialOutcome

__all__ = ["app", "check_not_shadowing", "main"]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    help="Train and evaluate on Ray RLlib: the options of the command that Ray dropped, for every "
    "mirrorenv world.",
)
train_app = typer.Typer(pretty_exceptions_enable=False)
app.add_typer(train_app, name="train")
console = PlainConsole(stderr=True)  # standard output is for results


def train(
    context: typer.Context,
    shared: o.TrainOptions,
    algo: o.Algo = None,
    config: o.Config = "{}",
    experiment_name: o.ExperimentName = "default",
    num_samples: o.NumSamples = 1,
    restore: o.Restore = None,
    resources_per_trial: o.GoneText = None,
    local_dir: o.GoneText = None,
    upload_dir: o.GoneText = None,
) -> None:
    """Train. For example: rllib train --algo MirrorPPO --env mirrorenv/ants-v0 --stop
    '{"training_iteration": 10}'."""
    if context.invoked_subcommand is not None:
        return
    shared.refuse_gone(
        resources_per_trial=resources_per_trial, local_dir=local_dir, upload_dir=upload_dir
    )
    if algo is None:
        raise ConfigError("no algorithm given: --algo MirrorPPO, or --algo PPO")
    ray_options = shared.ray
    settings = o.json_option("--config", config)
    told = shared.experiment()
    _prepare(shared)
    from mirrorenv.rllib.command.experiments import Experiment

    level = "DEBUG" if shared.vv else "INFO" if shared.v else "ERROR"
    experiment = Experiment.checked(
        _notice,
        name=experiment_name,
        algorithm=algo,
        env=shared.env,
        config={"log_level": level, **settings},
        num_samples=num_samples,
        restore=_local(restore),
        **told,
    )
    _run([experiment], ray_options, shared)


def train_file(
    config_file: o.ConfigFile,
    shared: o.TrainOptions,
    wandb_key: o.GoneText = None,
    wandb_project: o.GoneText = None,
    wandb_run_name: o.GoneText = None,
    file_type: o.GoneText = None,
) -> None:
    """Train the experiments of a YAML file, or the `config` of a Python file (which is run)."""
    shared.refuse_gone(
        wandb_key=wandb_key,
        wandb_project=wandb_project,
        wandb_run_name=wandb_run_name,
        file_type=file_type,
    )
    ray_options = shared.ray
    told = shared.experiment()
    _prepare(shared)
    from mirrorenv.rllib.command.experiment_files import read_experiments

    experiments = read_experiments(config_file, _notice, shared.env, **told)
    _run(experiments, ray_options, shared)


def evaluate(
    checkpoint: o.Checkpoint = None,
    algo: o.Algo = None,
    env: o.Env = None,
    local_mode: o.GoneFlag = False,
    render: o.GoneFlag = False,
    steps: o.Steps = 10_000,
    episodes: o.Episodes = 0,
    out: o.Out = None,
    config: o.Config = "{}",
    save_info: o.GoneFlag = False,
    use_shelve: o.GoneFlag = False,
    track_progress: o.TrackProgress = False,
    as_json: o.Json = False,
) -> None:
    """Play a checkpoint's agents: what they earn and, for MirrorPPO, how well they are
    recognised."""
    o.refuse_gone(
        None, local_mode=local_mode, render=render, save_info=save_info, use_shelve=use_shelve
    )
    settings = o.json_option("--config", config)
    if track_progress and out is None:
        raise ConfigError("--track-progress writes beside --out: give --out episodes.npz")
    _prepare(o.TrainOptions())
    from mirrorenv.rllib.command import rollouts as r

    stop_after = r.StopAfter(steps, episodes)
    if out is not None:
        r.check_output(out)
    tracker = out.parent / f"__progress_{out.name}" if out is not None and track_progress else None

    def progress(done_steps: int, done_episodes: int) -> None:
        if tracker is not None:
            tracker.write_text(f"{done_steps} steps, {done_episodes} episodes completed\n", "utf-8")

    found = None if checkpoint is None else r.find_checkpoint(checkpoint)
    try:
        played = r.roll_out(
            found, stop_after, algorithm=algo, env=env, config=settings, progress=progress
        )
    finally:
        if tracker is not None:
            tracker.unlink(missing_ok=True)
    if out is not None:
        r.write_rollouts(played, out)
    _print_evaluation(played.summary(), out)
    if as_json:
        print(json.dumps(played.summary() | {"checkpoint": None if found is None else str(found)}))


train_app.callback(invoke_without_command=True, help=help_of(train))(o.with_shared(train))
train_app.command("file", help=help_of(train_file))(o.with_shared(train_file))
add_commands(app, evaluate)


@app.command(
    hidden=True, context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
def rollout() -> None:
    """Ray called it so before `evaluate`."""
    raise ConfigError("rllib rollout is called rllib evaluate, with the same options")


@app.command(
    hidden=True, context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
def example() -> None:
    """Ray's list of examples."""
    raise ConfigError(
        "rllib example: Ray's examples went with its command. training/ of this project has recipes"
    )


def check_not_shadowing() -> None:
    """Refuse to stand in for a Ray that brings a command of this name.

    Raises:
        MirrorError: names the Ray, and how to reach its command.
        MissingExtraError: if there is no Ray.
    """
    try:
        ray = distribution("ray")
    except PackageNotFoundError:
        raise MissingExtraError(
            "'ray' is not installed. It comes with: pip install '.[train]'"
        ) from None
    own = [
        one for one in ray.entry_points if one.group == "console_scripts" and one.name == "rllib"
    ]
    if own:
        raise MirrorError(
            f"Ray {ray.version} has an rllib command of its own ({own[0].value}), and this one "
            "does not take its "
            "place. Ray's: python -c 'from ray.rllib.scripts import cli; cli()' (Ray 2.41 lists "
            "it, but holds no code "
            "for it). For this one install the Ray it is made for: pip install '.[train]'"
        )


def main() -> None:
    """Entry point of the console script."""

    run_command(app, console, check_not_shadowing)


def _prepare(shared: o.TrainOptions) -> None:
    """Import Ray, quietly unless asked."""
    import logging

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    # trials stay where the command was typed: a world's relative files are found there
    os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")
    for module in ("torch", "ray.rllib", "safetensors"):
        require(module, "train")
    level = logging.DEBUG if shared.vv else logging.INFO if shared.v else logging.ERROR
    for name in ("ray", "ray.rllib", "ray.tune"):
        logging.getLogger(name).setLevel(level)


def _notice(text: str) -> None:
    console.print(f"note: {text}", markup=False, highlight=False, soft_wrap=True)


def _local(path: str | None) -> str | None:
    return path if path is None or "://" in path else str(Path(path).expanduser().resolve())


def _run(
    experiments: list[Experiment],
    ray_options: o.RayOptions,
    shared: o.TrainOptions,
) -> None:
    from mirrorenv.rllib.command.ray_start import ray_for
    from mirrorenv.rllib.command.trials import require_good, run_experiment

    verbose = 2 if shared.v or shared.vv else 0
    outcomes: list[TrialOutcome] = []
    with ray_for(ray_options):
        for experiment in experiments:
            outcomes += run_experiment(
                experiment, resume=shared.resume, verbose=verbose, report=_progress
            )
    _print_outcomes(outcomes)
    if shared.as_json:
        print(json.dumps({"trials": [vars(one) for one in outcomes]}))
    require_good(outcomes)
    kept = [(one.checkpoint, one.env) for one in outcomes if one.checkpoint]
    if kept:
        checkpoint, env = kept[0]
        named = ["--env", env] if ":" in env else []  # a checkpoint alone runs no code
        following = shlex.join(["rllib", "evaluate", checkpoint, *named])
        print_next(console, following)


def _progress(line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def _print_outcomes(outcomes: list[TrialOutcome]) -> None:
    table = Table("trial", "end", "iterations", "steps", "return", "mirror return", title="Trials")
    for one in outcomes:
        end = "finished" if one.good else "failed" if one.error else one.status.lower()
        returns = [_short(value) for value in (one.episode_return_mean, one.mirror_return_mean)]
        table.add_row(
            Path(one.folder).name, end, str(one.iterations), f"{one.env_steps:,}", *returns
        )
    console.print(table)


def _print_evaluation(summary: dict[str, Any], out: Path | None) -> None:
    played = f"{summary['episodes']} episodes, {summary['env_steps']:,} steps"
    title = f"{summary['algorithm']} in {summary['env']}: {played}"
    table = Table("agent", "mean return", title=title)
    for agent, value in summary["agent_return_mean"].items():
        table.add_row(agent, _short(value))
    table.add_row("all together", _short(summary["return_mean"]))
    console.print(table)
    seen = summary["recognition"]
    if seen:
        limit = (seen["limit"] or {}).get("value")
        console.print(
            f"recognised {_short(seen['top1']['value'])} (chance {seen['chance']:.2f}), "
            "information "
            f"{_short(seen['information']['value'])} of at most {_short(limit)} nats, in "
            f"{seen['episodes']} episodes",
            highlight=False,
        )
    if out is not None:
        console.print(f"episodes  {out}", markup=False, highlight=False, soft_wrap=True)


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
