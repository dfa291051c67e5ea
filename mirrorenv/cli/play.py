"""`mirrorenv play`: watch an episode, as a GIF, in a window, or as numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from mirrorenv.cli import next_steps
from mirrorenv.cli._common import (
    Code,
    Json,
    Quiet,
    WorldId,
    WorldOptions,
    console,
    ends_in,
    name_all,
    print_json,
    require_all,
    say_places,
    world_arguments,
)
from mirrorenv.cli.waiting import Waiting
from mirrorenv.errors import ConfigError, MirrorError, unknown_name
from mirrorenv.plain_text import in_one_line
from mirrorenv.results.runs.limits import confined
from mirrorenv.terminal import PlainConsole

if TYPE_CHECKING:
    from mirrorenv.envs.base import ArrayWorld
    from mirrorenv.envs.drawing.film import Frame
    from mirrorenv.envs.episodes import Policy

__all__ = ["play"]

_RANDOM = "random"
_SCRIPTED = "scripted"


def play(
    world: WorldId,
    policy: Annotated[
        str,
        typer.Option(
            help="random, scripted (the world's best scripted team), a team's name, or a "
            "checkpoint."
        ),
    ] = _RANDOM,
    gif: Annotated[
        Path | None, typer.Option(help="Write the episodes here as an animated GIF.")
    ] = None,
    human: Annotated[bool, typer.Option("--human", help="Show the episodes in a window.")] = False,
    episodes: Annotated[
        int, typer.Option(min=1, help="Episodes to play, one after the other.")
    ] = 1,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the first episode; the next ones follow.")
    ] = 0,
    fps: Annotated[float, typer.Option(help="Pictures a second, at most 50.")] = 8.0,
    live_mirror: Annotated[
        bool,
        typer.Option(
            "--live-mirror",
            help="Below the picture, what the first agent watches while it moves: which image "
            "moves along?",
        ),
    ] = False,
    delay: Annotated[
        int | None, typer.Option(min=0, help="Of --live-mirror, in steps (default: 0).")
    ] = None,
    noise: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Of --live-mirror: moves shown by lot (default: 0.2)."),
    ] = None,
    overrides: WorldOptions = None,
    code: Code = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Play episodes with random, scripted or trained agents and look at them."""
    from mirrorenv.envs import full_id

    if gif is not None:
        ends_in(gif, ".gif", "--gif")
    world = full_id(world)
    name_all(world, code=code)
    if live_mirror and gif is None and not human:
        raise ConfigError("--live-mirror is to look at: give --gif FILE.gif, or --human")
    if not live_mirror and (delay is not None or noise is not None):
        raise ConfigError("--delay and --noise belong to --live-mirror: give it, or leave them out")
    mirror = (delay or 0, 0.2 if noise is None else noise) if live_mirror else None
    seeds = range(seed, seed + episodes)
    asked = _Asked(world, policy, gif, human, seeds, fps, overrides, mirror)
    work = partial(_played, asked, code, quiet, as_json)
    if Path(policy).exists():  # a checkpoint, which may come from anybody
        confined(work)
    else:
        work()


@dataclass(frozen=True)
class _Asked:
    """What is to be played, and how it is to be seen."""

    world: str
    policy: str
    gif: Path | None
    human: bool
    seeds: range
    fps: float
    overrides: list[str] | None
    mirror: tuple[int, float] | None


def _played(asked: _Asked, code: list[str] | None, quiet: bool, as_json: bool) -> None:
    from mirrorenv.envs import make_batch

    world = asked.world
    policy = asked.policy
    gif = asked.gif
    seeds = asked.seeds
    options, build = _policy(world, policy)
    given = world_arguments(asked.overrides)
    if options and given:
        raise ConfigError(f"{policy} brings the arguments of its world: leave --set out")
    options = options or given
    played = make_batch(world, 1, **options)
    if (gif or asked.human) and getattr(played, "could_render", False):
        played = make_batch(world, 1, **{**options, "render_mode": "rgb_array"})
    if (gif or asked.human) and "rgb_array" not in played.render_modes:
        raise ConfigError(
            f"{world} draws nothing, so there is nothing to show: leave out "
            f"{'--gif' if gif else '--human'}, and the returns are printed"
        )
    with Waiting(f"playing {world}", asked.human):
        returns = _play(played, build(played, seeds.start), asked)
    if not as_json and not quiet:
        out = PlainConsole()
        out.print(f"{world}, {in_one_line(policy)}: return of each agent", soft_wrap=True)
        for number, row in zip(seeds, returns, strict=False):
            values = (
                f"{agent} {value:.2f}" for agent, value in zip(played.agents, row, strict=True)
            )
            out.print(f"seed {number:<6} {'  '.join(values)}", soft_wrap=True)
        if gif:
            say_places(animation=gif)
        is_run = (Path(policy) / "run.json").is_file()
        next_steps.print_next(
            console, next_steps.report(Path(policy)) if is_run else next_steps.train(world, given)
        )
    if as_json:
        print_json({"world": world, "policy": policy, "returns": returns, "gif": gif and str(gif)})


def _play(world: Any, policy: Any, asked: _Asked) -> list[list[float]]:
    """Returns (episodes, N); shows and keeps the pictures that are asked for."""
    from mirrorenv.envs.drawing.film import gif
    from mirrorenv.envs.drawing.window import Window
    from mirrorenv.results.runs.files import atomic_write_bytes

    path = asked.gif
    if path is None and not asked.human:
        return [_returns(world, policy, seed) for seed in asked.seeds]
    window = Window(asked.world, asked.fps) if asked.human else None
    pictures = []
    returns = []
    try:
        for seed in asked.seeds:
            open_still = True
            for frame in _frames(world, policy, seed, asked.mirror):
                pictures += [frame.picture] if path else []
                open_still = window is None or window.show(frame.picture)
                if not open_still:
                    break
            returns.append(frame.returns.tolist())
            if not open_still:
                break
    finally:
        if window is not None:
            window.close()
    if path is not None:
        animation = gif(pictures, asked.fps)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write_bytes(path, animation)
    return returns


def _frames(
    world: ArrayWorld, policy: Policy, seed: int, mirror: tuple[int, float] | None
) -> Iterator[Frame]:
    if mirror is None:
        from mirrorenv.envs.drawing.film import watch

        return watch(world, policy, seed)
    from mirrorenv.instrument.live.film import live_frames, moves_of
    from mirrorenv.instrument.live.images import Distortion

    return live_frames(world, policy, seed, Distortion(*mirror, moves_of(world)))


def _returns(world: Any, policy: Any, seed: int) -> list[float]:
    from mirrorenv.envs import play_episodes

    record = play_episodes(world, policy, [seed])
    total: list[float] = np.asarray(record.rewards, np.float64).sum(axis=1)[0].tolist()
    return total


def _policy(world: str, name: str) -> tuple[dict[str, Any], Callable[[Any, int], Any]]:
    """The world's arguments, and what makes the policy from a world and a seed.

    Raises:
        MirrorError: if there is no such team or checkpoint, or the checkpoint is of another world.
    """
    from mirrorenv.envs import UniformPolicy, spec

    if name == _RANDOM:
        return {}, UniformPolicy
    if Path(name).exists():
        return _trained(world, Path(name))
    players = spec(world).load_players()
    if name == _SCRIPTED and not players:
        raise ConfigError(f"{world} brings no scripted team; use --policy random, or a checkpoint")
    if name != _SCRIPTED and name not in players:
        if any(mark in name for mark in ("/", "\\", ".")):
            raise ConfigError(f"--policy {name}: there is no such file or folder")
        raise unknown_name("policy", name, [_RANDOM, *([_SCRIPTED] if players else []), *players])
    team = list(players.values())[-1] if name == _SCRIPTED else players[name]
    return {}, lambda made, seed: team(made)


def _trained(world: str, path: Path) -> tuple[dict[str, Any], Callable[[Any, int], Any]]:
    require_all("train", "torch", "safetensors")
    from mirrorenv.population.acting import PopulationPolicy
    from mirrorenv.population.checkpoint import check_fits, load_population, world_of
    from mirrorenv.results.runs.run_folder import checkpoint_folder

    population, about = load_population(checkpoint_folder(path))
    if about.get("world") != world:
        raise MirrorError(
            f"{path} was trained in {about.get('world')}, not in {world}: name that world"
        )
    _, options = world_of(about, world)

    def policy(made: Any, seed: int) -> PopulationPolicy:
        check_fits(population, made, path)
        return PopulationPolicy(population, seed)

    return options, policy
